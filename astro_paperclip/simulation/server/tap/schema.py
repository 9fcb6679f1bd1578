"""Tables that the simulated TAP service has, with what MAST says of their columns."""

from dataclasses import dataclass

from astro_paperclip.columns import COLUMNS
from astro_paperclip.simulation.server.holdings import CAOM_COLUMNS

__all__ = ["TABLES", "TapColumn", "TapTable"]

# What MAST counts rows by is a number in its database, however often it writes it as text.
_NUMBERS = ("obsid", "objID")

# The wavelengths are in nm and MAST's service declares m, at least in 2026.
_DECLARED_UNITS = {"em_min": "m", "em_max": "m"}

# Columns of TAP_SCHEMA that are numbers.
_FLAGS = ("size", "principal", "indexed", "std")

_DATATYPES = {"str": "char", "int64": "int", "float64": "double", "bool": "boolean"}


@dataclass(frozen=True)
class TapColumn:
    """A column as a VOTable declares it.

    Parameters
    ----------
    name : str
        In lower case, as all names of MAST's service.
    datatype : {"char", "int", "long", "double", "boolean"}
        VOTable's name of its type; ``char`` is text of any length.
    description, unit, ucd, utype : str or None
        Further attributes.
    """

    name: str
    datatype: str
    description: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None


@dataclass(frozen=True)
class TapTable:
    """A table of the service.

    Parameters
    ----------
    name : str
        Full name, as ``dbo.obspointing``.
    description : str
        What a row is.
    columns : tuple of `TapColumn`
        In their order.
    """

    name: str
    description: str
    columns: tuple[TapColumn, ...]

    @property
    def schema(self) -> str:
        """Name of the schema that the table is part of."""
        return self.name.partition(".")[0]


def _observation_column(name):
    info = COLUMNS[name]
    return TapColumn(
        name.lower(),
        "long" if name in _NUMBERS else _DATATYPES[info.dtype],
        info.description,
        _DECLARED_UNITS.get(name, info.unit),
        info.ucd,
        info.utype,
    )


def _schema_table(name, thing, names):
    listed = [TapColumn(column, "int" if column in _FLAGS else "char") for column in names.split()]
    return TapTable(f"tap_schema.{name}", f"description of {thing} in this dataset", tuple(listed))


# MAST's own examples join the two tables by all columns of the same name.
_SHARED_WITH_OBSCORE = (
    *("dataproduct_type", "calib_level", "obs_collection", "obs_id", "target_name", "s_ra"),
    *("s_dec", "s_region", "t_min", "t_max", "t_exptime", "em_min", "em_max", "instrument_name"),
)

TABLES = {
    table.name: table
    for table in (
        TapTable(
            "dbo.obspointing",
            "observations in CAOM, a row each",
            tuple(map(_observation_column, CAOM_COLUMNS)),
        ),
        TapTable(
            "ivoa.obscore",
            "observations in CAOM, as ObsCore has them",
            (
                *map(_observation_column, _SHARED_WITH_OBSCORE),
                TapColumn("obs_publisher_did", "char", "identifier of the data set"),
                TapColumn("access_url", "char", "address of the data", ucd="meta.ref.url"),
                TapColumn("access_format", "char", "format of the data", ucd="meta.code.mime"),
                TapColumn("access_estsize", "long", "size of the data", "kbyte", "phys.size"),
                TapColumn("facility_name", "char", "observatory", ucd="meta.id;instr.tel"),
            ),
        ),
        _schema_table("schemas", "schemas", "schema_name utype description"),
        _schema_table("tables", "tables", "schema_name table_name table_type utype description"),
        _schema_table(
            "columns",
            "columns",
            "table_name column_name description unit ucd utype datatype size principal indexed std",
        ),
        _schema_table("keys", "foreign keys", "key_id from_table target_table description utype"),
        _schema_table("key_columns", "foreign key columns", "key_id from_column target_column"),
    )
}
"""Every table of the service, by its full name."""
