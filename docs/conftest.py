"""The examples of the gallery run when they are collected; what is made of them does not."""

collect_ignore = ["gallery", "gallery_pictures.py"]
