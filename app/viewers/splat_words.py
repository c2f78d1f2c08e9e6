"""What the ways to look at splats are called."""

MODES = {
    "colour": "Colour",
    "depth": "Depth",
    "opacity": "Opacity",
    "ellipsoids": "Ellipsoids",
    "centres": "Centres",
}
BACKGROUNDS = {"theme": "Plain background", "black": "Black background", "white": "White background"}
