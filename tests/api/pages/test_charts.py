import json
import re
import time
from xml.etree import ElementTree

import pytest
import vl_convert
from made_edition import made_edition

from api.pages.charts import CHARTS, specs
from api.pages.drawings import TIMED, inline
from api.pages.render import charts, slim
from api.pages.tables import Table, csv_text, tables
from api.pages.view import plan_view
from api.pages.words import LANGUAGES, words


@pytest.fixture(scope="module")
def edition():
    return made_edition()


@pytest.fixture(scope="module")
def view(edition):
    return plan_view(edition)


@pytest.fixture(scope="module")
def drawn(edition):
    unpublished = {k: v for k, v in edition.items() if k not in ("plan_id", "plan_version", "created_at")}
    return charts(unpublished)


def test_every_chart_is_drawn_in_every_language(drawn):
    assert set(drawn) == set(CHARTS)
    for chart in drawn.values():
        assert set(chart["svg"]) == set(chart["spec"]) == set(LANGUAGES)
        for svg in chart["svg"].values():
            ElementTree.fromstring(svg)


def test_drawings_need_no_inline_style_and_nothing_from_elsewhere(drawn):
    for chart in drawn.values():
        for svg in chart["svg"].values():
            assert not re.search(r"<style|\bstyle=|<script|<image|\bon\w+=", svg)
            assert set(re.findall(r"https?://[^\"]+", svg)) <= {
                "http://www.w3.org/2000/svg",
                "http://www.w3.org/1999/xlink",
            }


def test_specifications_hold_no_address_and_no_date_that_the_interpreter_misreads(view):
    for spec in specs(view, "fr").values():
        text = json.dumps(spec).replace(spec["$schema"], "")
        assert "http" not in text
        assert '"url"' not in text
        assert '"timeUnit"' not in text


def test_time_axes_are_utc_with_our_labels_and_stand_in_line(drawn, view):
    origins = set()
    for name in TIMED:
        spec = drawn[name]["spec"]["en"]
        axes = [layer["encoding"]["x"] for layer in spec["layer"] if "x" in layer["encoding"]]
        assert all(axis["scale"]["type"] == "utc" for axis in axes)
        assert any("labels[" in axis["axis"]["labelExpr"] for axis in axes)
        origins.add(re.search(r'<g fill="none"[^>]*translate\(([\d.]+),', drawn[name]["svg"]["en"])[1])
    assert len(origins) == 1


def test_labels_of_the_axis_are_site_time_in_the_drawing():
    late = plan_view(made_edition(zone="Asia/Kolkata", jobs=2))
    svg = vl_convert.vegalite_to_svg(specs(late, "en")["price"], allowed_base_urls=[])
    assert ">12:00<" in svg
    assert ">06:30<" not in svg


def test_gantt_has_a_row_and_an_edge_for_each_job(drawn, view):
    svg = drawn["gantt"]["svg"]["en"]
    for job in view["jobs"]:
        assert f">{job['id']}<" in svg
    assert ">work unmet<" in svg
    assert ">travail inachevé<" in drawn["gantt"]["svg"]["fr"]


def long_named(jobs):
    made = made_edition(jobs=jobs)
    text = json.dumps(made)
    for k, job in enumerate(made["problem"]["jobs"]):
        text = text.replace(json.dumps(job["id"]), json.dumps(f"a-very-long-name-of-a-training-job-{k:03}"))
    return json.loads(text)


def test_long_job_names_keep_their_telling_ends():
    drawn = charts(long_named(3))
    for name in ("gantt", "caps"):
        shown = re.findall(r">([^<]*\u2026[^<]*)<", drawn[name]["svg"]["en"])
        assert sorted(shown) == [f"a-very-lo\u2026ining-job-{k:03}" for k in range(3)]


def test_slim_drawings_say_the_same_as_full_ones(drawn):
    full = vl_convert.vegalite_to_svg(drawn["gantt"]["spec"]["en"], allowed_base_urls=[])
    small = drawn["gantt"]["svg"]["en"]
    assert len(small) < 0.65 * len(full)
    pair = [list(ElementTree.fromstring(svg).iter()) for svg in (full, small)]
    assert len(pair[0]) == len(pair[1])
    for before, after in zip(*pair, strict=True):
        assert (before.tag, before.text) == (after.tag, after.text)
        numbers = [
            re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", e.get("d", "") + e.get("transform", "")) for e in (before, after)
        ]
        assert [float(n) for n in numbers[0]] == pytest.approx([float(n) for n in numbers[1]], abs=0.006)


def test_slimming_leaves_written_texts_alone():
    written = 'd="1.23456" font-family="x" 2.71828'
    svg = f'<svg width="1.005e-9"><text transform="translate(-0.26789,2.71828)" fill="a">{written}</text></svg>'
    assert slim(svg).endswith(f'<text transform="translate(-0.27,2.72)" fill="a">{written}</text></svg>')


def test_a_day_of_a_hundred_jobs_is_drawn_quickly():
    # texts measured in a face read from disk, and names searched for the length that fits, together took 2 s
    spec = specs(plan_view(long_named(100)), "en")["gantt"]
    vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    begin = time.process_time()
    vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    assert time.process_time() - begin < 1.2


def test_stacked_supply_reaches_exactly_to_the_demand_line(view):
    layers = specs(view, "en")["supply"]["layer"]
    tops: dict[int, float] = {}
    for row in layers[0]["data"]["values"]:
        tops[row["t"]] = max(tops.get(row["t"], 0.0), row["v"])
    line = next(layer for layer in layers if layer["mark"]["type"] == "line")
    for row in line["data"]["values"]:
        assert tops[row["t"]] == pytest.approx(row["v"], abs=2e-4)


def test_now_stands_where_the_clock_says_and_ids_do_not_meet(drawn, view):
    spec, svg = drawn["price"]["spec"]["en"], drawn["price"]["svg"]["en"]
    start = spec["params"][2]["value"][0]
    middle = start + 18 * 3_600_000
    line = re.search(r'class="now-line" x1="([\d.]+)"', inline("price", svg, spec, view, middle))
    origin = float(re.search(r'<g fill="none"[^>]*translate\(([\d.]+),', svg)[1])
    assert float(line[1]) == pytest.approx(origin + spec["width"] / 2, abs=0.1)
    assert "now-line" not in inline("price", svg, spec, view, start - 1)
    caps = inline("caps", drawn["caps"]["svg"]["en"], drawn["caps"]["spec"]["en"], view, middle)
    assert all(name.startswith("caps-") for name in re.findall(r'\bid="([^"]+)"', caps))


def test_texts_of_tenants_are_escaped_in_drawings():
    made = made_edition(jobs=3)
    made["problem"]["batteries"][0]["name"] = "<script>x</script>"
    series = made["plan"]["series"]
    for key in ("charge_mw", "discharge_mw", "soc_mwh"):
        series[key] = {"<script>x</script>": next(iter(series[key].values()))}
    spec = specs(plan_view(made), "en")["battery"]
    assert "<script" not in vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])


def test_a_plan_without_series_has_tables_and_leaves_charts_out():
    made = made_edition(jobs=2)
    made["plan"] |= {"status": "infeasible", "rung": "MILP", "series": None, "jobs": [], "terms": {}, "objective": None}
    made |= {"saving": None, "baseline": None}
    view = plan_view(made)
    assert "supply" not in specs(view, "en")
    assert "gantt" in specs(view, "en")
    assert set(tables(view, words("en"))) == set(CHARTS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_tables_hold_the_numbers_of_the_documents(edition, view, language):
    found = tables(view, words(language))
    assert set(found) == set(CHARTS)
    series = edition["plan"]["series"]
    assert [row[4] for row in found["supply"].rows] == series["import_mw"]
    assert [row[1] for row in found["battery"].rows] == series["soc_mwh"]["bess-1"]
    assert [row[1] for row in found["price"].rows] == edition["problem"]["series"]["import_price_per_mwh"]
    assert found["cost"].rows[-1][1] == pytest.approx(edition["plan"]["objective"])
    assert found["cost"].rows[-1][2] == pytest.approx(edition["baseline"]["objective"])
    assert {row[0] for row in found["gantt"].rows} == {job["id"] for job in edition["problem"]["jobs"]}
    assert sum(len(job["runs"]) for job in edition["plan"]["jobs"]) == len(found["caps"].rows)
    for table in found.values():
        assert all(len(row) == len(table.columns) == len(table.digits) for row in table.rows)


def test_csv_does_not_run_in_a_spreadsheet_and_shows_unknown_as_empty():
    text = csv_text(Table(["a", "b"], [0, 0], [["=1+1", None], ["x", -2.5]]))
    assert text == "a,b\r\n'=1+1,\r\nx,-2.5\r\n"


def test_generators_services_and_a_thermal_mass_are_drawn_where_a_plan_has_them():
    edition = made_edition()
    slots = edition["problem"]["horizon"]["slots"]
    more = {"generator_mw": {"a": [0.5] * slots, "b": [0.25] * slots}, "inference_mw": {"chat": [0.75] * slots}}
    series = edition["plan"]["series"] | more | {"temperature_c": [24.5] * slots}
    view = plan_view(edition | {"plan": edition["plan"] | {"series": series}})
    assert view["supply"]["generator"] == [0.75] * slots
    assert view["demand"]["services"] == [0.75] * slots
    made, plain = specs(view, "fr"), specs(plan_view(edition), "fr")
    assert "Groupes électrogènes" in str(made["supply"]["layer"][0])
    assert "Groupes électrogènes" not in str(plain["supply"]["layer"][0])
    assert "Masse thermique" in str(made["temperatures"])
