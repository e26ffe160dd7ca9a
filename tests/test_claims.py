"""Claims of papers: verdicts from numbers, kept as data from the item to the ledger and beside other studies."""

import json
from math import inf, isnan, nan
from types import SimpleNamespace

import pandas as pd
import pytest
from matplotlib.figure import Figure as Canvas

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.verdicts import placed, trend
from freqmaps.papers.b25._claims import correlated, nonlinear
from freqmaps.publish import ledger as ledgers
from freqmaps.publish import write_figure, write_table
from freqmaps.publish.api import Figure, Table
from freqmaps.publish.networks import with_networks
from freqmaps.publish.report import read_item
from freqmaps.publish.report._chapters import chapters, claims_by_paper, in_words, scope_in_words
from freqmaps.publish.report._findings import sentence
from tests import keyed_results
from tests.test_archive import command


def claim(low, high, *, text="M rises", **more):
    return trend(text, [(low, high)], f"by {low} to {high}", section="2.1", reported="by 0.3", n=7, **more)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.3, "holds"), (-0.3, -0.1, "does not hold"), (-0.1, 0.1, "cannot be told here"),
     (nan, nan, "cannot be told here")],
)  # fmt: skip
def test_a_verdict_follows_from_the_numbers(low, high, verdict):
    found = claim(low, high)
    assert found == f"The published trend (M rises) {verdict}: by {low} to {high}."
    assert (found.verdict, found.section, found.reported, found.n) == (verdict, "2.1", "by 0.3", 7)
    assert (found.low, found.high) == (low, high) or (isnan(found.low) and isnan(found.high))


def test_a_claim_keeps_its_parts_where_its_place_is_put_before_it():
    moved = claim(0.1, 0.2).at("digits")
    assert moved == f"digits: {claim(0.1, 0.2)}" and moved.verdict == "holds" and moved.place == "digits"
    assert placed("digits", [claim(0.1, 0.2), "n = 3."]) == [moved, "digits: n = 3."]


@pytest.mark.parametrize(
    ("intervals", "region", "decides"),
    [
        ([(0.2, 1.0), (0.1, 2.0)], (0.0, inf), (0.1, 2.0)),  # all inside: the one nearest to the end
        ([(0.2, 1.0), (-0.1, 2.0)], (0.0, inf), (-0.1, 2.0)),
        ([(-9.0, 9.0), (-2.0, -1.0)], (0.0, inf), (-2.0, -1.0)),  # one outside decides, however wide another is
        ([(-2.0, -1.0), (-3.0, -0.5)], (-inf, 0.0), (-3.0, -0.5)),
        ([(0.1, 0.3), (0.0, 0.2)], (-0.4, 0.4), (0.1, 0.3)),
        ([(nan, nan), (0.1, 0.3)], (0.0, inf), (0.1, 0.3)),
        ([(0.1, 0.3)], (0.0, inf), (0.1, 0.3)),
    ],
)
def test_of_several_intervals_the_worst_for_the_claim_is_kept(intervals, region, decides):
    found = trend("a", intervals, "b", region=region)
    assert (found.low, found.high) == decides
    told = trend("a", intervals, "b", region=region, deciding=(5.0, 6.0))
    assert (told.low, told.high, told.verdict) == (5.0, 6.0, found.verdict)


def test_without_a_known_interval_none_is_kept():
    assert isnan(trend("a", [(nan, nan), (nan, 1.0)], "b").low) and isnan(trend("a", [], "b").high)


def row(values, p_values, error=0.1, svcca=0.2, networks=1, sd=nan):
    names = ("idcor", "idcor_cleaned", "idcor_released")
    found = {"svcca": svcca, "svcca_error": 0.02, "svcca_networks_sd": 0.01, "n": 60.0, "p_value": p_values[0]}
    found |= {"networks": networks} | {f"{name}_networks_sd": sd for name in names}
    found |= {f"{name}_p_value": p for name, p in zip(names, p_values, strict=True)}
    found |= dict(zip(names, values, strict=True)) | {f"{name}_error": error for name in names}
    return found | {"published_idcor": 0.66, "published_p_value": 0.01, "published_svcca": 0.25}


@pytest.mark.parametrize(
    ("values", "p_values", "verdict"),
    [
        ((0.6, 0.5, 0.7), (0.01, 0.01, 0.01), "holds"),
        ((-0.6, 0.5, 0.7), (0.01, 0.01, 0.01), "does not hold"),  # one reading says the opposite
        ((0.6, 0.5, 0.7), (0.01, 0.3, 0.01), "cannot be told here"),  # permuted maps do as well
        ((0.6, 0.1, 0.7), (0.01, 0.01, 0.01), "cannot be told here"),  # an interval reaches below 0
        ((0.6, nan, nan), (0.01, nan, nan), "holds"),  # one reading alone
    ],
)
def test_the_correlation_of_b25_is_there_if_it_is_in_every_reading(values, p_values, verdict):
    (found,) = correlated([("fmn", row(values, p_values))], "IV-E, table I")
    assert found.verdict == verdict
    assert (found.place, found.n, found.reported) == ("fmn", 60, "IdCor 0.66, p 0.01")
    # The reading that decides: the one that is not supported, else the lowest.
    decides = {"does not hold": 0, "holds": min(range(3), key=lambda i: values[i] if values[i] == values[i] else inf)}
    decisive = values[decides.get(found.verdict, 1)]
    assert (found.low, found.high) == pytest.approx((decisive - 1.96 * 0.1, decisive + 1.96 * 0.1), abs=1e-4)


@pytest.mark.parametrize(("networks", "verdict"), [(1, "holds"), (2, "cannot be told here"), (4, "holds")])
def test_the_correlation_of_several_networks_counts_how_they_differ(networks, verdict):
    seen = row((0.6, 0.5, 0.7), (0.01,) * 3, networks=networks, sd=0.2)
    (found,) = correlated([("pgd", seen)], "IV-E, table I")
    assert (found.verdict, found.networks) == (verdict, networks)


def test_idcor_exceeds_svcca_beyond_the_errors_of_both():
    far, near = row((0.6, 0.7, 0.8), (0.01,) * 3), row((0.3, 0.7, 0.8), (0.01,) * 3)
    assert [c.verdict for c in nonlinear([("a", far), ("b", near)], "IV-E")] == ["holds", "cannot be told here"]
    assert list(nonlinear([("a", row((nan, nan, nan), (nan,) * 3))], "IV-E")) == []


def made(folder, notes, item="B25-T9", figure=False):
    folder.mkdir(parents=True)
    if figure:
        write_figure(Figure(Canvas(), notes, "nothing"), folder / f"{item}.svg", folder / f"{item}.png")
    else:
        write_table(Table(pd.DataFrame({"a": [1]}), notes), folder / f"{item}.csv", folder / f"{item}.tex")
    return read_item(folder)


@pytest.mark.parametrize("figure", [False, True])
def test_claims_go_with_an_item_and_come_back(tmp_path, figure):
    notes = ["n = 3.", claim(0.1, 0.2).at("digits"), trend("b", [(nan, nan)], "nothing")]
    item = made(tmp_path / "item", notes, figure=figure)
    assert item.notes == notes
    assert [c.parts() | {"low": 0, "high": 0} for c in item.claims] == [
        c.parts() | {"low": 0, "high": 0} for c in notes[1:]
    ]
    text = next(p for p in (tmp_path / "item").glob("*.json")).read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_the_ledger_is_read_back_as_it_was_written(tmp_path):
    frame = ledgers.ledger({"F21-F2": [claim(0.1, 0.2), trend("b", [(nan, nan)], "")], "B25-T1": [], "K22-T1": [
        claim(-0.2, -0.1).at("a, b")]})  # fmt: skip
    assert frame["paper"].tolist() == ["F21", "F21", "K22"]
    frame.to_csv(tmp_path / "claims.csv", index=False)
    assert frame["n"].dtype == "Int64" and ",7,," in (tmp_path / "claims.csv").read_text()  # and not 7.0
    pd.testing.assert_frame_equal(ledgers.read(tmp_path / "claims.csv"), frame)
    assert ledgers.ledger({}).empty
    for text in ("a,b\n1,2\n", frame.assign(verdict="perhaps").to_csv(index=False), ""):
        (tmp_path / "claims.csv").write_text(text)
        with pytest.raises(FreqmapsError, match=r"claims\.csv: not a ledger of claims"):
            ledgers.read(tmp_path / "claims.csv")


def test_tests_of_one_claim_are_one_row_of_the_report(tmp_path):
    several = [claim(0.1, 0.2).at("pgd"), claim(-0.1, 0.2).at("fmn"), claim(0.1, 0.2, text="N falls", region=(-inf, 0))]
    items = [made(tmp_path / "a", several), made(tmp_path / "b", [claim(0.3, 0.4)], item="K22-T9")]
    items.append(made(tmp_path / "c", ["n = 3."], item="B25-T8"))
    papers = claims_by_paper(items)
    assert [[c["verdict"] for c in paper["claims"]] for paper in papers] == [
        ["differs by test", "does not hold"],
        ["holds"],
    ]
    assert papers[0]["claims"][0]["tally"] == "1 holds, 1 cannot be told here"
    assert in_words(items) == "Of 3 claims 1 holds, 1 does not hold, 1 has verdicts that differ from test to test."
    assert [claim["items"] for paper in papers for claim in paper["claims"]] == [["B25-T9"], ["B25-T9"], ["K22-T9"]]
    assert [[i.id for i in c["items"]] for c in chapters(items)] == [["B25-T9", "B25-T8"], ["K22-T9"]]
    assert items[0].finding == "M rises: holds for pgd, cannot be told here for fmn; N falls: does not hold."
    assert items[1].finding == "M rises: holds."


def test_a_claim_that_several_items_test_is_one(tmp_path):
    same, other = claim(0.1, 0.2).at("digits"), claim(-0.2, -0.1).at("digits")
    items = [made(tmp_path / name, [said], item=name) for name, said in (("F21-F2", same), ("F21-F4", same))]
    ((found,),) = [paper["claims"] for paper in claims_by_paper(items)]
    assert found["items"] == ["F21-F2", "F21-F4"] and found["verdict"] == "holds"
    assert [case["items"] for case in found["cases"]] == [["F21-F2", "F21-F4"]]  # the same test counts once
    items.append(made(tmp_path / "c", [other], item="F21-F8"))
    items.append(made(tmp_path / "d", [claim(0.1, 0.2)], item="B25-T1"))  # another paper's
    found = claims_by_paper(items)[0]["claims"]
    assert [(case["items"], case["verdict"]) for case in found[0]["cases"]] == [
        (["F21-F2", "F21-F4"], "holds"),
        (["F21-F8"], "does not hold"),
    ]
    assert in_words(items) == "Of 2 claims 1 holds, 1 has verdicts that differ from test to test."
    table = ledgers.side_by_side({"digits": ledgers.ledger({item.id: item.claims for item in items})})
    assert table[["item", "digits"]].to_numpy().tolist() == [
        ["F21-F2, F21-F4, F21-F8", "1 holds, 1 does not hold"],
        ["B25-T1", "holds"],
    ]


def test_an_item_tells_its_finding(tmp_path):
    said = [claim(low, low + 0.2, text=name) for name, low in (("a", 0.1), ("b", -0.1), ("c", -0.9), ("d", 0.1))]
    assert sentence(said) == "Of 4 claims 2 hold (a; d), 1 does not hold (c), 1 cannot be told here."
    many = [claim(0.1, 0.2, text=str(number)) for number in range(9)]
    assert sentence(many) == "Of 9 claims 9 hold." and sentence([]) == ""
    assert sentence([claim(0.1, 0.2), claim(-0.1, 0.2)]) == "M rises: 1 holds, 1 cannot be told here, of 2 tests."
    table = Table(pd.DataFrame({"a": [1]}), said, finding="All rise.")
    figure = Figure(Canvas(), said, finding="All rise.")
    (tmp_path / "t").mkdir(), (tmp_path / "f").mkdir()
    write_table(with_networks(table, seeds()), tmp_path / "t" / "B25-T9.csv", tmp_path / "t" / "B25-T9.tex")
    write_figure(with_networks(figure, seeds()), tmp_path / "f" / "B25-F9.svg", tmp_path / "f" / "B25-F9.png")
    assert read_item(tmp_path / "t").finding == read_item(tmp_path / "f").finding == "All rise."
    assert made(tmp_path / "n", ["n = 3."]).finding == ""


def test_every_paper_has_a_chapter():
    papers = {name.split("-")[0] for name in components.names("item")}
    for chapter in (ledgers.paper_of(name) for name in papers):
        (found,) = chapters([type("Item", (), {"id": f"{chapter}-T1"})()])
        assert found["title"] != chapter and found["citation"] != chapter


def study_of(*said):
    return ledgers.ledger({"B25-T1": list(said)})


def test_studies_stand_beside_each_other():
    table = ledgers.side_by_side({
        "digits": study_of(claim(0.1, 0.2), claim(0.1, 0.2, text="b"), claim(-0.2, -0.1, text="b")),
        "photos": study_of(claim(-0.2, -0.1), claim(0.1, 0.2, text="c")),
    })  # fmt: skip
    by = table.set_index("claim")
    assert by.loc["M rises", ["digits", "photos", "agree"]].tolist() == ["holds", "does not hold", "no"]
    assert by.loc["b", ["digits", "photos", "agree"]].tolist() == ["1 holds, 1 does not hold", "", ""]
    assert by.loc["c", ["digits", "photos", "agree"]].tolist() == ["", "holds", ""]
    same = ledgers.side_by_side({"a": study_of(claim(0.1, 0.2)), "b": study_of(claim(0.3, 0.4))})
    assert same["agree"].tolist() == ["yes"]
    assert "M rises" in ledgers.in_columns(table)


def report(root, study, frame, date):
    def fill(folder, attributes):
        frame.to_csv(folder / "claims.csv", index=False)

    folder = keyed_results._result(root, "report", {"page": study}, {"date": date}, {}, fill)
    keyed_results.edit(folder / "manifest.json", lambda found: found["provenance"].update(date=date))
    return folder


def test_the_command_shows_the_newest_report_of_each_study(tmp_path):
    report(tmp_path / "a", "digits", study_of(claim(-0.2, -0.1)), "2026-01-01T00:00:00+00:00")
    report(tmp_path / "a", "digits", study_of(claim(0.1, 0.2)), "2026-03-01T00:00:00+00:00")
    report(tmp_path / "a", "photos", study_of(claim(-0.1, 0.2)), "2026-02-01T00:00:00+00:00")
    report(tmp_path / "b", "digits", study_of(claim(-0.2, -0.1)), "2026-02-01T00:00:00+00:00")
    lines = command("claims", tmp_path / "a").stdout.splitlines()
    assert lines[0].split() == ["claim", "item", "digits", "photos", "agree"]
    assert "holds" in lines[1] and "cannot be told here" in lines[1] and "does not hold" not in lines[1]
    text = command("claims", tmp_path / "a", tmp_path / "b", "--csv", "-").stdout
    assert text.splitlines()[0] == f"paper,item,claim,{tmp_path}/a: digits,photos,{tmp_path}/b: digits,agree"
    assert text.splitlines()[1].endswith(",no")
    (tmp_path / "c").mkdir()
    for root, said in (("c", "no study has a report"), ("d", "d")):
        done = command("claims", tmp_path / root, check=False)
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and said in done.stderr


# --- on how many networks a claim rests


def seeds(**of):
    """Results of networks, as readers give them: the seeds of each training."""
    of_networks = [
        SimpleNamespace(names={"dataset": "d", "model": "m", "training": training, "seed": str(seed)})
        for training, several in of.items()
        for seed in several
    ]
    return SimpleNamespace(results=[*of_networks, SimpleNamespace(names={"dataset": "d"})])


@pytest.mark.parametrize(
    ("inputs", "networks"),
    [(seeds(a=[0, 1, 2]), 3), (seeds(a=[0, 1], b=[0]), 1), (seeds(), None)],
)
def test_an_item_rests_on_the_training_with_the_fewest_seeds(inputs, networks):
    notes = [claim(0.1, 0.2), claim(0.1, 0.2, networks=5), "n = 3."]
    table = Table(pd.DataFrame({"a": [1]}), notes, claims=[claim(1, 2)])
    found = with_networks(table, inputs)
    assert [found.notes[0].networks, found.notes[1].networks, found.claims[0].networks] == [networks, 5, networks]
    assert found.notes[2] == "n = 3." and found.notes[0] == table.notes[0]
    figure = with_networks(Figure(Canvas(), [claim(0.1, 0.2)], "nothing"), inputs)
    assert figure.notes[0].networks == networks


def test_the_page_says_which_verdicts_are_of_one_network(tmp_path):
    made(tmp_path / "a", [claim(0.1, 0.2, networks=1), claim(0.1, 0.2, text="N", networks=4), claim(0, 1, text="O")])
    item = read_item(tmp_path / "a")
    assert [case["on"] for paper in claims_by_paper([item]) for c in paper["claims"] for case in c["cases"]] == [
        "n = 7, 1 network", "n = 7, 4 networks", "n = 7",
    ]  # fmt: skip
    assert scope_in_words([item]).startswith("1 of 2 tests rest on one network of each training")
    frame = ledgers.ledger({"B25-T9": item.claims})
    assert frame["networks"].tolist()[:2] == [1, 4] and pd.isna(frame["networks"][2])
    made(tmp_path / "b", [claim(0.1, 0.2, networks=4)])
    assert scope_in_words([read_item(tmp_path / "b")]) == ""
