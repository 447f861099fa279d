"""Order and gaps of pictures with the names that cameras, phones and programs give them."""

from __future__ import annotations

import itertools

import pytest

from ssagan_tf.data.layouts.sequences import find_sequences, sequence_labels


def runs(*names: str) -> list[list[str]]:
    """Names in each run of all sequences."""
    found, _ = find_sequences(reversed(names))
    return [[file.name for file in run] for sequence in found for run in sequence.runs()]


IN_ORDER = {
    "numbers": ["f_9.jpg", "f_10.jpg", "f_011.jpg"],
    "numbers in steps": ["f_0010.jpg", "f_0020.png", "f_0030.JPG"],
    "days before": ["2024-05-01 (1).jpg", "2024-05-01 (2).jpg"],
    "dashes": ["2024-05-01_23-59-55.jpg", "2024-05-02_00-00-05.jpg", "2024-05-02_00-00-15.jpg"],
    "dots": ["2024-05-01 23.59.55.jpg", "2024-05-02 00.00.05.jpg"],
    "ISO 8601": ["2024-05-01T23:59:55Z.jpg", "2024-05-02T00:00:05Z.jpg"],
    "with a zone": ["2024-05-01T23:59:55+02:00.jpg", "2024-05-02T00:00:05+02:00.jpg"],
    "words": ["Foto 2024-05-01 at 23.59.55 new.jpg", "Foto 2024-05-02 at 00.00.05 new.jpg"],
    "underlines": ["2024_05_01_23_59_55.jpg", "2024_05_02_00_00_05.jpg"],
    "compact": ["IMG_20240501_235955.jpg", "IMG_20240502_000005.jpg"],
    "closed up": ["20240501235955.jpg", "20240502000005.jpg"],
    "thousandths": ["PXL_20240501_235959900.jpg", "PXL_20240502_000000100.jpg"],
    "millionths": ["20240501T235959.900000.png", "20240502T000000.100000.png"],
    "minutes": ["2024-05-01_23-59.jpg", "2024-05-02_00-00.jpg", "2024-05-02_00-01.jpg"],
    "days": ["cam_2024-04-30.jpg", "cam_2024-05-01.jpg"],
    "hours": ["12-59-55.jpg", "13-00-05.jpg"],
    "the other order of days": ["05-01-2024_12-59-55.jpg", "05-01-2024_13-00-05.jpg"],
    "Unix seconds": ["1714600795.jpg", "1714600805.jpg"],
    "Unix milliseconds": ["f_1714600795999.jpg", "f_1714600796999.jpg"],
    "ROS": ["1714600795.900000000.png", "1714600796.100000000.png"],
    "a drone's": ["DJI_20240501235955_0009_D.JPG", "DJI_20240502000005_0010_D.JPG"],
    "a messenger's": ["IMG-20240501-WA0009.jpg", "IMG-20240502-WA0010.jpg"],
    "a burst": ["20240501_235959_009.jpg", "20240501_235959_010.jpg", "20240502_000000_011.jpg"],
    "a number and a time": ["1_2024-05-01_23-59-55.jpg", "2_2024-05-02_00-00-05.jpg"],
    "a number and seconds": ["f1_t0.80.jpg", "f2_t0.84.jpg", "f3_t1.20.jpg"],
    "dates that are none": ["20249905_1.jpg", "20249905_2.jpg"],
    "a date and a number": [f"IMG_20240501_{number}.jpg" for number in range(1, 41)],
    "a date and a number in brackets": [f"2024-05-01 ({number}).jpg" for number in range(1, 41)],
    "a number and a date": [f"{number}_20240501.jpg" for number in range(1, 41)],
    "times that are none": ["20240501_000059.jpg", "20240501_000060.jpg"],
}


@pytest.mark.parametrize("names", IN_ORDER.values(), ids=IN_ORDER)
def test_order(names: list[str]) -> None:
    assert runs(*names) == [names]


def seconds(*times: float, form: str = "cam_20240501_12{:02d}{:02d}.jpg") -> list[str]:
    return [form.format(int(time) // 60, int(time) % 60) for time in times]


@pytest.mark.parametrize(
    ("times", "gaps"),
    [
        ([10 * n for n in range(40) if n != 20], [20]),
        ([10 * n + n % 4 for n in range(40)], []),
        ([1.4 * n for n in range(100)], []),
        ([n for n in range(100) if n != 50], [50]),
        ([*(5 * n for n in range(30)), *(3000 + 5 * n for n in range(20))], [30]),
        ([0, 60], []),
    ],
    ids=["one is missing", "uneven", "cut to seconds", "a second", "a break", "two"],
)
def test_gaps_in_time(times: list[float], gaps: list[int]) -> None:
    names = seconds(*times)
    begins = [0, *gaps, len(names)]
    assert runs(*names) == [names[a:b] for a, b in itertools.pairwise(begins)]


def test_gaps_in_numbers() -> None:
    assert runs(*(f"{n}.jpg" for n in (1, 2, 3, 5, 6, 10))) == [
        ["1.jpg", "2.jpg", "3.jpg"],
        ["5.jpg", "6.jpg"],
        ["10.jpg"],
    ]
    assert runs("7.jpg") == [["7.jpg"]]


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["cam1_1.jpg", "cam1_2.jpg", "cam2_1.jpg", "cam2_2.jpg"], ["cam1", "cam2"]),
        (["1_left.jpg", "2_left.jpg", "1_right.jpg", "2_right.jpg"], ["left", "right"]),
        (["a_1.jpg", "a1.jpg", "1.jpg"], ["1.jpg", "a1.jpg", "a_1.jpg"]),
        (["a1_.jpg", "a1b.jpg"], ["a", "ab"]),
        (["con_1.jpg", "b_1.jpg"], ["b_1.jpg", "con_1.jpg"]),
        (
            ["20240501_120001_c1.jpg", "20240501_120001_c2.jpg", "20240501_120003_c2.jpg"],
            ["c1", "c2"],
        ),
    ],
)
def test_labels_of_sequences(names: list[str], labels: list[str]) -> None:
    found, skipped = find_sequences(names)
    assert not skipped
    assert sorted(sequence_labels(found)) == labels
    assert sequence_labels(found[:1]) == [""]


def test_what_is_skipped() -> None:
    found, skipped = find_sequences(
        [
            *("1.jpg", "01.png", "cover.jpg", f"{1 << 63}.jpg"),
            *("2024-05-01 12.00.01.jpg", "2024-05-01 12.00.01.png"),
        ]
    )
    assert {file.name for sequence in found for file in sequence.files} == {
        *("01.png", "2024-05-01 12.00.01.jpg")
    }
    assert skipped == {
        "1.jpg": "duplicate number: the same as 01.png",
        "cover.jpg": "no number in its name",
        f"{1 << 63}.jpg": "its number is too large",
        "2024-05-01 12.00.01.png": "duplicate time: the same as 2024-05-01 12.00.01.jpg",
    }


def test_numbers_in_names() -> None:
    def numbers(*names: str) -> list[int]:
        return [file.number for file in find_sequences(names)[0][0].files]

    assert numbers("IMG_20240501_235955.jpg") == [20240501235955]
    assert numbers("PXL_20240501_235955123.jpg") == [20240501235955123]
    assert numbers("1714600795.123456789.png") == [1714600795123456789]
    assert numbers("2024-05-01.jpg", "2024-05-02.jpg") == [20240501, 20240502]
    assert numbers("12-00-01.jpg") == [120001]
