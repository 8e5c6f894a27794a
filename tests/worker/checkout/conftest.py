"""Fixtures of a challenge's checkout."""

from challenge_fixtures import catalogue, challenge_root, images, own_root

__all__ = ["catalogue", "challenge_root", "images", "own_root"]
