"""What a GPU is: the catalogue, and NVML for the local machine."""
