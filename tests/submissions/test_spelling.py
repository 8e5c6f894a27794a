"""A submission is found by whatever people write for it, and never by something that two may mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ntire_bench.errors import UsageError
from ntire_bench.submissions.models_folder import find
from ntire_bench.submissions.spelling import resolve, spelled


@dataclass(frozen=True)
class Team:
    """As a submission has them."""

    id: int
    name: str

    @property
    def label(self) -> str:
        return f"{self.id:02d}_{self.name}"


TEAMS = [Team(0, "RLFN"), Team(5, "MyNet"), Team(6, "My-Net"), Team(7, "7_Up"), Team(8, "2"), Team(123, "X")]


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        ("5", 5),
        ("05", 5),
        (" 005 ", 5),
        ("team05", 5),
        ("Team5", 5),
        ("team_05", 5),
        ("05_MyNet", 5),
        ("5_mynet", 5),
        ("team05_MyNet", 5),
        ("team05_MyNet.py", 5),
        ("team05_MyNet.toml", 5),
        ("models/team05_MyNet.py", 5),
        ("./models/team05_MyNet.py", 5),
        ("model_zoo/team05_MyNet.pth", 5),
        ("models/team05_MyNet/", 5),
        ("models/team05_MyNet/__init__.py", 5),
        ("MyNet", 5),
        ("mynet", 5),
        ("My-Net", 6),
        ("06_My-Net", 6),
        ("7_Up", 7),  # the number 7 and the name Up, or the name 7_Up
        ("07_7_Up", 7),
        ("2", 2),  # a number is a number, whoever is called so
        ("123", 123),
        ("team123_X", 123),
        ("99", 99),  # not there: the message of an unknown id says so, not this one
    ],
)
def test_what_people_write(text, id_):
    assert resolve(text, TEAMS, None) == id_


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("MyNett", "there is no submission MyNett; found 00_RLFN, .*near: 05_MyNet.* by its id, its name"),
        ("Nothing", "there is no submission Nothing; found 00_RLFN, 05_MyNet"),
        ("", "there is no submission without a name"),
        ("05_Other", "the submission 05 has another name; expected 05_Other; found 05_MyNet"),
        ("1234567890", "there is no submission 1234567890"),
        ("-3", "there is no submission -3"),
    ],
)
def test_what_nobody_is_called(text, told):
    with pytest.raises(UsageError, match=told):
        resolve(text, TEAMS, None)


def test_a_name_that_two_have_is_asked_about():
    with pytest.raises(UsageError, match="several submissions have the name mynet; found 05_MyNet, 09_mynet"):
        resolve("mynet", [*TEAMS, Team(9, "mynet")], None)
    assert resolve("09_mynet", [*TEAMS, Team(9, "mynet")], None) == 9


def test_the_path_of_a_file_elsewhere_is_not_taken_for_one_here(tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    for inside in (models / "team05_MyNet.py", tmp_path / "model_zoo" / "team05_MyNet.pth"):
        assert resolve(str(inside), TEAMS, models, models=models) == 5
    with pytest.raises(UsageError, match="lies in another folder than the submissions.*--models"):
        resolve(str(tmp_path / "other" / "team05_MyNet.py"), TEAMS, models, models=models)


def test_a_folder_says_what_else_could_be_done(tmp_path):
    (tmp_path / "models").mkdir()
    with pytest.raises(UsageError, match="there is no submission MyNet; found nothing.*ntire-bench new"):
        find(tmp_path / "models", tmp_path).id_of("MyNet")


def test_a_path_says_its_folder():
    assert spelled("a/b/team05_MyNet.py").folder == Path("a/b")
    assert spelled("team05_MyNet.py").folder is None
