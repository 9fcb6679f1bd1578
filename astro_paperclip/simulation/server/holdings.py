"""What a simulated archive holds: proposals, observations, files of previews."""

from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from astro_paperclip.columns import COLUMNS
from astro_paperclip.exceptions import CollectionError
from astro_paperclip.simulation.observations import OBSERVATION_COLUMNS

__all__ = ["CAOM_COLUMNS", "PROPOSAL_COLUMNS", "Holdings"]

CAOM_COLUMNS = (*OBSERVATION_COLUMNS[:-2], "srcDen", *OBSERVATION_COLUMNS[-2:])
"""Names of MAST's columns of an observation, in MAST's own order."""

PROPOSAL_COLUMNS = (
    *("proposal_id", "title", "abstract", "category", "proposal_type", "proposal_pi", "cycle"),
)
"""Names of the columns of a proposal, all of them text."""

_TYPES = {"str": pa.string(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_()}


class Holdings:
    """
    Tables of a simulated archive, and where its previews lie.

    Parameters
    ----------
    proposals : `pyarrow.Table`
        Columns of a proposal; those that are missing are empty.
    observations : `pyarrow.Table`
        MAST's columns of an observation; those that are missing are null.
    previews : `~pathlib.Path`, optional
        Folder with ``<proposal_id>/<file name of jpegURL>``. Observations without such a file,
        all of them by default, have a small placeholder for a preview.

    Attributes
    ----------
    proposals : `pyarrow.Table`
        All columns in their order, as strings without nulls.
    observations : `pyarrow.Table`
        All columns in their order, with the dtypes of `~astro_paperclip.columns.COLUMNS`
        (``obsid`` is a string); null where nothing is known.
    previews : `~pathlib.Path` or None
        Folder of the previews.
    """

    def __init__(self, proposals: pa.Table, observations: pa.Table, previews: Path | None = None):
        strings = _conform(proposals, dict.fromkeys(PROPOSAL_COLUMNS, pa.string()))
        self.proposals = pa.table({name: strings[name].fill_null("") for name in PROPOSAL_COLUMNS})
        types = {name: _TYPES[COLUMNS[name].dtype] for name in CAOM_COLUMNS}
        self.observations = _conform(observations, types)
        self.previews = previews

    @classmethod
    def read(cls, directory) -> "Holdings":
        """
        Read what `~astro_paperclip.simulation.write_archive` wrote.

        Parameters
        ----------
        directory : str or `~pathlib.Path`
            The simulated archive.

        Returns
        -------
        `Holdings`

        Raises
        ------
        CollectionError
            If the directory holds no simulated archive.
        """
        directory = Path(directory)
        paths = [directory / f"{name}.parquet" for name in ("proposals", "observations")]
        missing = [path.name for path in paths if not path.is_file()]
        if missing:
            raise CollectionError(
                f"{directory} holds no simulated archive (no {' and no '.join(missing)}); "
                f"write one with write_archive({str(directory)!r})"
            )
        return cls(*(pq.read_table(path) for path in paths), directory / "previews")

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row of each observation, by ``obsid``."""
        return {obsid: row for row, obsid in enumerate(self.observations["obsid"].to_pylist())}

    def rows(self, indices, columns=None) -> list[dict]:
        """
        Return some observations as dictionaries.

        Parameters
        ----------
        indices : sequence of int
            Rows, in the order wanted.
        columns : sequence of str, optional
            Names of the columns; all by default.

        Returns
        -------
        list of dict
        """
        table = self.observations if columns is None else self.observations.select(columns)
        return table.take(np.asarray(indices, dtype=np.int64)).to_pylist()


def _conform(table, types):
    """Give a table exactly the columns that are named, in order, with their types."""
    columns = {
        name: table[name].cast(kind) if name in table.column_names else pa.nulls(len(table), kind)
        for name, kind in types.items()
    }
    for name, column in columns.items():
        if pa.types.is_floating(column.type):
            # JSON has no NaN, and MAST has none in its tables.
            columns[name] = pc.if_else(pc.is_nan(column), None, column)
    return pa.table(columns)
