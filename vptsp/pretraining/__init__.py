"""How the bundled backbone was made: generated images, their descriptors, and the recipe that learns them."""
