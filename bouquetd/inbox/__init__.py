"""The inbox: noticing files, waiting until they are quiet, opening them safely, filing them away."""
