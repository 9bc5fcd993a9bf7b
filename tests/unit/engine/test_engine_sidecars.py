"""What a killed engine leaves beside the files of its state."""

from ziggurat.engine import sidecars


def test_empty_attributes_go_and_nothing_else(tmp_path):
    folder = tmp_path / ".pulumi" / "stacks" / "ziggurat"
    folder.mkdir(parents=True)
    for name, text in {"a.json": "{}", "a.json.attrs": "", "b.json.attrs": "{}", "c.json": ""}.items():
        (folder / name).write_text(text)

    assert sidecars.mend(tmp_path) == (folder / "a.json.attrs",)

    assert sorted(file.name for file in folder.iterdir()) == ["a.json", "b.json.attrs", "c.json"]
    assert sidecars.mend(tmp_path) == ()


def test_a_file_that_goes_meanwhile_is_nobodys_fault(tmp_path, monkeypatch):
    (tmp_path / ".pulumi").mkdir()
    stays = tmp_path / ".pulumi" / "b.json.attrs"
    stays.touch()
    gone = tmp_path / ".pulumi" / "a.json.attrs"
    monkeypatch.setattr(sidecars.Path, "rglob", lambda folder, pattern: iter([gone, stays]))

    assert sidecars.mend(tmp_path) == (stays,)


def test_a_folder_without_a_state_has_nothing_to_mend(tmp_path):
    assert sidecars.mend(tmp_path / "nowhere") == ()
