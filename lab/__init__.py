"""A site in a box: real Debian hosts, their network and a little internet, on one machine."""
