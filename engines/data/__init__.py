"""The things that flow between files, methods, projects and viewers. Positions in scans are RAS mm (see Volume)."""

from engines.data.bodies import ElasticBody
from engines.data.bound import BoundGaussians
from engines.data.fields import MeshField, SampledField
from engines.data.gaussian_features import GaussianFeatures
from engines.data.geometry import Mesh, PointCloud
from engines.data.grids import GridField, Volume
from engines.data.hands import HandAvatar, HandCapture, PoseSequence, RiggedTemplate
from engines.data.paths import CameraPath
from engines.data.photos import Photos, PhotoSet, UnposedPhotos
from engines.data.problems import Problem
from engines.data.records import Curve, Image, Model, Table
from engines.data.slices import Slices
from engines.data.solutions import Solution, Trajectory
from engines.data.spectra import SpectrumTable
from engines.data.splats import GaussianCloud
from engines.data.transport import CostMatrix, Coupling, Displacements, Measure, MeasureOrCost, TransportMap
from engines.data.videos import DepthVideo, Video

__all__ = [
    "BoundGaussians",
    "CameraPath",
    "CostMatrix",
    "Coupling",
    "Curve",
    "DepthVideo",
    "Displacements",
    "ElasticBody",
    "GaussianCloud",
    "GaussianFeatures",
    "GridField",
    "HandAvatar",
    "HandCapture",
    "Image",
    "Measure",
    "MeasureOrCost",
    "Mesh",
    "MeshField",
    "Model",
    "PhotoSet",
    "Photos",
    "PointCloud",
    "PoseSequence",
    "Problem",
    "RiggedTemplate",
    "SampledField",
    "Slices",
    "Solution",
    "SpectrumTable",
    "Table",
    "Trajectory",
    "TransportMap",
    "UnposedPhotos",
    "Video",
    "Volume",
]
