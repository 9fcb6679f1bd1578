"""Every column of a result, described once: dtype, unit, UCD, utype, meaning.

Names, units, UCDs and descriptions of the observation columns are those that MAST declares
for its CAOM tables [1]_. Utypes are ObsCore's [2]_ instead of the older ``ObsPointing`` ones
that MAST still declares; they say what a column means, and the column's own unit holds:
MAST's wavelengths are in nm where an ObsCore table has them in m.

References
----------
.. [1] https://mast.stsci.edu/api/v0/_c_a_o_mfields.html
.. [2] Observation Data Model Core Components, version 1.1,
   https://www.ivoa.net/documents/ObsCore/
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

__all__ = [
    "COLUMNS",
    "CONTRACT_COLUMNS",
    "MEASURE_FORMATS",
    "OBSERVATION_COLUMNS",
    "RANKING_COLUMNS",
    "ColumnInfo",
    "text_array",
]

_PADDING_LIMIT = 64 * 2**20
"""Texts that would take more bytes than this when padded are kept as objects."""


@dataclass(frozen=True)
class ColumnInfo:
    """What is known of a column, whatever its values.

    Parameters
    ----------
    name : str
        Name of the column, unchanged from where it comes from.
    dtype : {"str", "int64", "float64", "bool"}
        Type of the values.
    unit : str or None
        Unit, as `astropy.units.Unit` reads it.
    ucd : str or None
        Unified Content Descriptor (UCD1+).
    utype : str or None
        Element of the ObsCore data model, with its prefix.
    description : str
        One sentence for a reader of the table.
    """

    name: str
    dtype: str
    unit: str | None
    ucd: str | None
    utype: str | None
    description: str


_RANKING = (
    ColumnInfo("rank", "int64", None, "meta.number", None, "Place in the ranking, from 1"),
    ColumnInfo(
        "score",
        "float64",
        None,
        "stat.correlation",
        None,
        "Cosine similarity of the query and the picture, from -1 to 1",
    ),
    ColumnInfo(
        "score_percentile",
        "float64",
        "%",
        "stat.rank",
        None,
        "Share of a fixed bank of queries that the picture fits less well than this query",
    ),
)

_POSITION = "obscore:Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2"
_TIME = "obscore:Char.TimeAxis.Coverage"
_SPECTRUM = "obscore:Char.SpectralAxis.Coverage.Bounds.Limits"

_OBSERVATION = (
    ColumnInfo(
        "obsid",
        "str",
        None,
        "meta.record",
        None,
        "Database identifier for obs_id (MAST product group); the key to the products",
    ),
    ColumnInfo(
        "obs_id",
        "str",
        None,
        "meta.id",
        "obscore:DataID.observationID",
        "Observation identifier, given by mission",
    ),
    ColumnInfo("target_name", "str", None, "meta.id", "obscore:Target.name", "Target name"),
    ColumnInfo("obs_collection", "str", None, "meta.id", "obscore:DataID.collection", "Mission"),
    ColumnInfo(
        "instrument_name",
        "str",
        None,
        "instr",
        "obscore:Provenance.ObsConfig.Instrument.name",
        "Instrument name",
    ),
    ColumnInfo(
        "filters", "str", None, "phys.transmission;instr.filter", None, "Instrument filters"
    ),
    ColumnInfo(
        "proposal_id",
        "str",
        None,
        "meta.id;obs.proposal",
        "obscore:Provenance.Proposal.identifier",
        "Proposal ID",
    ),
    ColumnInfo(
        "obs_title",
        "str",
        None,
        "meta.title",
        "obscore:DataID.title",
        "Observation description from proposal",
    ),
    ColumnInfo(
        "proposal_pi", "str", None, "meta.id.PI", None, "Principal investigator's last name"
    ),
    ColumnInfo("proposal_type", "str", None, "meta.code;obs.proposal", None, "Type of proposal"),
    ColumnInfo(
        "s_ra",
        "float64",
        "deg",
        "pos.eq.ra;meta.main",
        f"{_POSITION}.C1",
        "Observation right ascension",
    ),
    ColumnInfo(
        "s_dec",
        "float64",
        "deg",
        "pos.eq.dec;meta.main",
        f"{_POSITION}.C2",
        "Observation declination",
    ),
    ColumnInfo(
        "t_min",
        "float64",
        "d",
        "time.start;obs.exposure",
        f"{_TIME}.Bounds.Limits.StartTime",
        "Observation start (MJD)",
    ),
    ColumnInfo(
        "t_max",
        "float64",
        "d",
        "time.end;obs.exposure",
        f"{_TIME}.Bounds.Limits.StopTime",
        "Observation end (MJD)",
    ),
    ColumnInfo(
        "t_exptime",
        "float64",
        "s",
        "time.duration;obs.exposure",
        f"{_TIME}.Support.Extent",
        "Exposure time",
    ),
    ColumnInfo(
        "t_obs_release",
        "float64",
        "d",
        "time.release;meta.dataset",
        "obscore:Curation.releaseDate",
        "Release of the data (MJD)",
    ),
    ColumnInfo(
        "em_min", "float64", "nm", "em.wl;stat.min", f"{_SPECTRUM}.LoLimit", "Minimum wavelength"
    ),
    ColumnInfo(
        "em_max", "float64", "nm", "em.wl;stat.max", f"{_SPECTRUM}.HiLimit", "Maximum wavelength"
    ),
    ColumnInfo("wavelength_region", "str", None, "meta.ucd", None, "Energy band"),
    ColumnInfo(
        "target_classification", "str", None, "src.class", "obscore:Target.class", "Type of target"
    ),
    ColumnInfo(
        "intentType",
        "str",
        None,
        None,
        None,
        "Whether observation is for science or calibration",
    ),
    ColumnInfo(
        "dataproduct_type",
        "str",
        None,
        "meta.code.class",
        "obscore:ObsDataset.dataProductType",
        "Type of product",
    ),
    ColumnInfo(
        "calib_level",
        "int64",
        None,
        "meta.code.status",
        "obscore:ObsDataset.calibLevel",
        "Calibration level",
    ),
    ColumnInfo("project", "str", None, "meta.title", None, "Processing project"),
    ColumnInfo("provenance_name", "str", None, None, None, "Name of the processing pipeline"),
    ColumnInfo("sequence_number", "int64", None, None, None, "Number within the sequence"),
    ColumnInfo(
        "s_region",
        "str",
        None,
        "pos;obs.field",
        "obscore:Char.SpatialAxis.Coverage.Support.Area",
        "Footprint (STC-S, in deg)",
    ),
    ColumnInfo("jpegURL", "str", None, "meta.ref.url", None, "Preview image URL"),
    ColumnInfo("dataURL", "str", None, None, None, "Data URL"),
    ColumnInfo("dataRights", "str", None, None, None, "Data rights"),
    ColumnInfo("mtFlag", "bool", None, None, None, "Moving target flag"),
    ColumnInfo(
        "srcDen", "float64", None, None, None, "Number of cataloged objects found in observation"
    ),
    ColumnInfo(
        "objID",
        "str",
        None,
        "meta.record",
        None,
        "Plane ID of observation at given calibration level",
    ),
    ColumnInfo(
        "distance",
        "float64",
        "arcsec",
        "pos.angDistance",
        None,
        "Angular separation of the searched coordinates and the center of the observation",
    ),
)

_PICTURE = (
    ColumnInfo("preview", "str", None, "meta.ref", None, "The picture: its MAST URI, or its path"),
    ColumnInfo("image", "str", None, "meta.ref", None, "Path of the picture"),
    ColumnInfo("title", "str", None, "meta.title", None, "Title of the proposal or of the picture"),
    ColumnInfo("text", "str", None, "meta.note", None, "Text that the picture was paired with"),
    ColumnInfo("summary", "str", None, "meta.note", None, "What is observed, and what for"),
    ColumnInfo("category", "str", None, "meta.code.class", None, "Scientific category"),
    ColumnInfo("cycle", "str", None, "obs.proposal.cycle", None, "Observing cycle"),
    ColumnInfo(
        "group_id",
        "str",
        None,
        "meta.id.assoc",
        None,
        "What is never split between training and validation",
    ),
    ColumnInfo(
        "ra", "float64", "deg", "pos.eq.ra", None, "Right ascension (ICRS) in the pairs file"
    ),
    ColumnInfo("dec", "float64", "deg", "pos.eq.dec", None, "Declination (ICRS) in the pairs file"),
)

OBSERVATION_COLUMNS = tuple(column.name for column in _OBSERVATION)
"""Names of MAST's columns of an observation, in the order of a result."""

RANKING_COLUMNS = tuple(column.name for column in _RANKING)
"""Names of the columns that say how well an observation matches, in the order of a result."""

CONTRACT_COLUMNS = (*RANKING_COLUMNS, "obsid", "obs_id", "target_name", "obs_collection")
"""Names of the columns that every result has, in this order."""

MEASURE_FORMATS = {"score": ".3f", "score_percentile": ".1f", "rating": ".1f"}
"""Columns of numbers that are rounded where they are read, by people."""

COLUMNS = {column.name: column for column in (*_RANKING, *_OBSERVATION, *_PICTURE)}
"""What is known of each column, by name, in the order of a result."""


def text_array(values: Iterable[str]) -> np.ndarray:
    """Make an array of texts.

    Parameters
    ----------
    values : iterable of str
        Texts of any lengths.

    Returns
    -------
    array : `~numpy.ndarray`
        Dtype ``str``; or ``object`` where it would mostly be padding, as one long abstract
        makes of the whole column.
    """
    values = list(values)
    longest = max(map(len, values), default=0)
    return np.array(values, object if 4 * longest * len(values) > _PADDING_LIMIT else str)
