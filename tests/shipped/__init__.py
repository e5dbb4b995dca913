"""What is shipped beside the package: image, compose files, wheel."""
