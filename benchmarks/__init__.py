"""Time, memory and counted operations of the networks, side by side with plain PyTorch."""
