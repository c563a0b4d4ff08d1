"""GPUs of this machine through NVIDIA's management library; see README.md for fields and units."""
