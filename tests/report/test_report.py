"""The page is read back as a browser would read it: headings, tables, pictures."""

import base64
import dataclasses
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from muemg import Decomposition, SpikeTrains, Table, __version__, compare, write_report
from muemg.errors import InvalidArgumentError, MuemgError

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Text by element, attributes by element, and a check that every element is closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if data.strip() and self.stack and self.stack[-1] not in ("style", "script"):
            self.texts.append((self.stack[-1], data.strip()))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return "\n".join(text for _, text in self.texts)


@pytest.fixture(scope="module")
def file(small_scene, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "page.html"
    return write_report(path, small_scene.decomposition, small_scene.recording, small_scene.spikes)


@pytest.fixture(scope="module")
def page(file):
    page = Page(file.read_text(encoding="utf-8"))
    assert page.stack == []
    return page


def test_the_page_needs_nothing_from_elsewhere(file, page):
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action"):
            value = attributes.get(name) or ""
            assert value.startswith(("data:image/", "#")) or not value, (tag, name, value)
        assert tag not in ("link", "iframe", "object", "base")
    style = re.search(r"<style>(.*?)</style>", file.read_text(), re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style


def test_every_link_within_the_page_leads_somewhere(page):
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = {attributes["href"][1:] for attributes in page.all("a")}
    assert links
    assert links <= ids


def test_every_picture_is_whole_and_described(page):
    pictures = page.all("img")
    # three overviews in two widths; a source and a MUAP of each of three units
    assert len(pictures) == 3 * 2 + 3 * 2
    for picture in pictures:
        assert picture["alt"]
        kind, _, data = picture["src"].partition(";base64,")
        content = base64.b64decode(data, validate=True)
        if kind == "data:image/png":
            assert content.startswith(b"\x89PNG")
        else:
            assert ElementTree.fromstring(content).tag.endswith("svg")


def test_numbers_are_those_of_the_records(page, small_scene):
    found, text = small_scene.decomposition, page.text
    assert "0.950" in text
    assert "33.0" in text
    assert "11.0" in text  # CoV in percent
    assert str(found.spikes.n_spikes[1]) in text
    assert "3 of 3" in text
    agreement = compare(found, small_scene.spikes).truth["rate_of_agreement"]
    for value in agreement:
        assert f"{value:.3f}" in text
    assert agreement.min() < 1


def test_the_page_says_how_it_was_made(page, small_scene):
    text = page.text
    for said in (__version__, "by hand", "versions.numpy", np.__version__, "SHA-256", "2000 Hz", "Hann"):
        assert said in text
    assert "Channel 5 was left out: clipped" in text
    assert "a note & a half" in text


def test_text_from_files_is_text_not_markup(page, file):
    assert "Motor units of a <made-up> muscle" in page.text
    assert "<made-up>" not in file.read_text(encoding="utf-8")


def test_a_unit_that_was_not_accepted_is_marked(page):
    assert page.text.count("not accepted") == 1


def test_tables_can_be_sorted_by_keys_that_are_numbers(page):
    keys = [attributes.get("data-key") for attributes in page.all("td")]
    assert all(key == "" or np.isfinite(float(key)) for key in keys if key not in ("a", "b", "c"))
    # the pulse-to-noise ratio that is not a number shows as a dash and sorts last
    assert "" in keys
    headings = [attributes for attributes in page.all("th") if attributes.get("scope") == "col"]
    assert len(headings) == 8 + 7
    assert len(page.all("button")) == len(headings)


def test_the_same_input_gives_the_same_bytes(file, small_scene, tmp_path):
    again = write_report(
        tmp_path / "again.html", small_scene.decomposition, small_scene.recording, small_scene.spikes
    )
    assert again.read_bytes() == file.read_bytes()


def test_without_recording_and_reference(small_scene, tmp_path):
    told = []
    file = write_report(
        tmp_path / "bare.html",
        small_scene.decomposition,
        title="Bare",
        progress=lambda share, message: told.append(share),
    )
    page = Page(file.read_text(encoding="utf-8"))
    assert ("h1", "Bare") in page.texts
    assert "reference" not in page.text
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_nothing_found(small_scene, tmp_path):
    spikes = SpikeTrains((), 2000.0, 12_000)
    nothing = Decomposition(
        spikes, np.zeros((0, 12_000)), np.zeros((0, 8, 5)), Table({}), notes=("tried in vain",)
    )
    file = write_report(tmp_path / "nothing.html", nothing, small_scene.recording, small_scene.spikes)
    page = Page(file.read_text(encoding="utf-8"))
    assert "No motor units were found" in page.text
    assert "tried in vain" in page.text
    assert "0 of 3" in page.text


def test_a_decomposition_of_other_software_has_no_muaps_and_no_measures(small_scene, tmp_path):
    foreign = dataclasses.replace(
        small_scene.decomposition,
        muaps=np.zeros((3, 8, 0)),
        quality=Table({"sil": [np.nan] * 3, "accepted": [True] * 3}),
    )
    page = Page(write_report(tmp_path / "f.html", foreign, small_scene.recording).read_text(encoding="utf-8"))
    assert len(page.all("img")) == 3 * 2 + 3


def test_what_does_not_belong_together_is_an_error(small_scene, tmp_path):
    _, truth, found = small_scene
    target = tmp_path / "page.html"
    with pytest.raises(InvalidArgumentError, match="12000 samples"):
        write_report(target, found, small_scene.recording.time_slice(0, 3))
    with pytest.raises(InvalidArgumentError, match="8 channels"):
        write_report(target, found, small_scene.recording.select_channels([0, 1]))
    with pytest.raises(InvalidArgumentError, match="must have one length"):
        write_report(target, found, reference=truth.time_slice(0, 3))
    with pytest.raises(InvalidArgumentError, match="decomposition must be a Decomposition"):
        write_report(target, truth)
    assert not target.exists()


def test_an_old_page_survives_what_goes_wrong(small_scene, tmp_path):
    target = tmp_path / "page.html"
    target.write_text("old")

    def interrupt(share, message):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_report(target, small_scene.decomposition, progress=interrupt)
    assert target.read_text() == "old"
    with pytest.raises(MuemgError, match="cannot write"):
        write_report(tmp_path / "nowhere" / "page.html", small_scene.decomposition)
    assert list(tmp_path.iterdir()) == [target]
