"""The tests, mirroring app/ and engines/."""
