"""Vision and audio towers, shared by the families that use them."""
