"""How far judges agree: language models, keywords, people."""

import os
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from astropy.table import Table

from astro_paperclip.evaluation.judges import Judge
from astro_paperclip.exceptions import InvalidQueryError

__all__ = ["RecordedJudge", "judge_agreement"]

_COLUMNS = ("query", "text", "relevant")
_ANSWERS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class RecordedJudge:
    """Judge by what is written in a file, for example by people.

    Parameters
    ----------
    path : str or path-like
        A CSV or ECSV file with the columns ``query``, ``text`` and ``relevant`` (true or
        false, yes or no, 1 or 0).
    name : str, optional
        Who judged. By default the name of the file.

    Attributes
    ----------
    questions : list of tuple of str
        Query and text of each judgement, in the order of the file: what
        `judge_agreement` can ask other judges.

    Raises
    ------
    InvalidQueryError
        If the file cannot be read, an answer is none, or a question has two different ones.
    """

    sees_images = False

    def __init__(self, path: str | os.PathLike, name: str | None = None) -> None:
        path = Path(path)
        self.name = name or path.stem
        self._answers: dict[tuple[str, str], bool] = {}
        for row in _read(path):
            query, text, said = (str(row[column]).strip() for column in _COLUMNS)
            answer = _ANSWERS.get(said.lower())
            if answer is None:
                raise InvalidQueryError(
                    f"{path}: {said!r} is no answer to {query!r}: write true or false."
                )
            if self._answers.setdefault((query, text), answer) != answer:
                raise InvalidQueryError(
                    f"{path}: {query!r} has two different answers for {text[:60]!r}."
                )

    @property
    def questions(self) -> list[tuple[str, str]]:
        """Query and text of each judgement."""
        return list(self._answers)

    def __call__(self, query: str, text: str, image_path: str | None = None) -> bool:  # noqa: ARG002
        """Return what was judged.

        Parameters
        ----------
        query, text : str
            A question that the file answers.
        image_path : str, optional
            Not looked at.

        Returns
        -------
        bool
            Whether the text was judged relevant.

        Raises
        ------
        InvalidQueryError
            If the file does not answer the question.
        """
        try:
            return self._answers[query.strip(), text.strip()]
        except KeyError:
            raise InvalidQueryError(
                f"{self.name} has no judgement of {text[:60]!r} for the query {query!r}."
            ) from None


def judge_agreement(judges: Sequence[Judge], questions: Iterable[tuple[str, str]]) -> Table:
    """Compare judges, two by two.

    Parameters
    ----------
    judges : sequence of Judge
        Two or more.
    questions : iterable of tuple of str
        Query and text of each question. Each judge is asked each different one once.

    Returns
    -------
    `~astropy.table.Table`
        One row for two judges: ``first``, ``second`` (names), ``n`` (questions), ``agreement``
        (share of equal answers) and ``kappa``, Cohen's kappa [1]_: 0 where they agree as often
        as by chance with the same shares of yes and no, 1 where they always agree. It is not a
        number where both give one and the same answer to everything.

    Raises
    ------
    InvalidQueryError
        If there are fewer than two judges, or no question.

    References
    ----------
    .. [1] Cohen, J. 1960, Educational and Psychological Measurement, 20, 37

    Examples
    --------
    >>> from astro_paperclip.evaluation import KeywordJudge, judge_agreement
    >>> def strict(query, text):
    ...     return query in text
    >>> questions = [("comet", "a comet"), ("comet", "Comets"), ("comet", "a star")]
    >>> table = judge_agreement([KeywordJudge(), strict], questions)
    >>> print(table["first", "second", "n", "kappa"])
     first   second  n  kappa
    -------- ------ --- -----
    keywords strict   3 0.400
    """
    from sklearn.metrics import cohen_kappa_score

    asked = list(dict.fromkeys(questions))
    if len(judges) < 2 or not asked:
        raise InvalidQueryError("Give two judges or more, and a question at least.")
    answers = {}
    for number, judge in enumerate(judges):
        name = str(getattr(judge, "name", getattr(judge, "__name__", type(judge).__name__)))
        said = np.array([bool(judge(query, text)) for query, text in asked])
        answers[number] = (name, said)
    rows = []
    for (first, said), (second, too) in combinations(answers.values(), 2):
        is_undefined = len({*said, *too}) == 1
        kappa = np.nan if is_undefined else float(cohen_kappa_score(said, too))
        rows.append((first, second, len(asked), float(np.mean(said == too)), kappa))
    table = Table(rows=rows, names=("first", "second", "n", "agreement", "kappa"))
    for name in ("agreement", "kappa"):
        table[name].format = ".3f"
    return table


def _read(path: Path) -> Table:
    form = "ascii.ecsv" if path.suffix.lower() == ".ecsv" else "ascii.csv"
    try:
        table = Table.read(path, format=form)
    except OSError as error:
        raise InvalidQueryError(f"Cannot read {path}: {error.strerror or error}.") from error
    except ValueError as error:
        raise InvalidQueryError(f"{path} is no table: {error}") from error
    missing = [name for name in _COLUMNS if name not in table.colnames]
    if missing:
        raise InvalidQueryError(f"{path} has no column {', '.join(missing)}.")
    return table
