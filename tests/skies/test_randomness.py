from __future__ import annotations

import numpy as np

from ssagan_tf.skies.randomness import RandomStream


def test_numbers_are_frozen():
    # Clips of a benchmark are made from these, whatever NumPy does to its generators.
    assert RandomStream(64, 0).uniform() == 0.0014841116658047548
    assert RandomStream(64, 0).part(1).uniform() == 412917126625874201 // 2048 / 2**53


def test_a_part_does_not_depend_on_earlier_draws():
    one, other = RandomStream(1, 2), RandomStream(1, 2)
    other.uniform(size=7)
    assert one.part(3).uniform() == other.part(3).uniform()


def test_streams_are_different():
    keys = [(), (0,), (0, 0), (0, 0, 0), (0, 1), (1,), (1, 0), (0, 1, 0), (1, 0, 0, 0), (2,)]
    first = [RandomStream(5, 3).part(*key).uniform() for key in keys]
    assert len(set(first)) == len(keys)
    # NumPy pads short keys with zeros; a stream and its part 0 must differ all the same.
    pairs = np.array(
        [(RandomStream(i).uniform(), RandomStream(i).part(0).uniform()) for i in range(500)]
    )
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.15


def test_scalars_equal_arrays():
    one, all_at_once = RandomStream(5), RandomStream(5).uniform(2, 3, (4, 3))
    assert [one.uniform(2, 3) for _ in range(12)] == all_at_once.ravel().tolist()
    assert all_at_once.shape == (4, 3)


def test_distributions():
    rng = RandomStream(0)
    uniform = rng.uniform(-1, 3, 20000)
    assert uniform.min() >= -1
    assert uniform.max() < 3
    assert abs(uniform.mean() - 1) < 5 * 4 / np.sqrt(12 * 20000)
    normal = rng.normal(2, 3, 20001)
    assert normal.shape == (20001,)
    assert abs(normal.mean() - 2) < 5 * 3 / np.sqrt(20000)
    assert abs(normal.std() - 3) < 0.1
    assert abs((np.abs(normal - 2) < 3).mean() - 0.6827) < 0.02
    picked = [rng.choice({"a": 1, "b": 0, "c": 3}) for _ in range(4000)]
    assert set(picked) == {"a", "c"}
    assert abs(picked.count("c") / 4000 - 0.75) < 0.04
