"""What cannot exist without hardware: NVIDIA's packages and the PCI bus, played by stand-ins.

The stand-ins behave like the real ones as far as a deploy can tell; every boundary of the lab's
simulated hardware is in this folder.
"""
