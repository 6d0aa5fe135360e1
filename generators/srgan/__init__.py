"""SRGAN-lite: a small network for fourfold enlargement, trained here, first for PSNR and then as a GAN.

``restorer`` runs the shipped weights; the other modules are what made them (docs/srgan-lite.md).
"""
