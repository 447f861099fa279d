"""Imported PyTorch networks give their stored results: in float64, to its rounding.

Their outputs are stored (`python -m benchmarks.torch_references`), so PyTorch is not needed here.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import torch_references
from benchmarks.torch_references import CASES
from ssagan_tf import torch_weights
from tests.exactness import EXACT

pytestmark = [pytest.mark.numeric, pytest.mark.slow]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("float64")
def test_results_of_pytorch(name: str) -> None:
    case = CASES[name]
    shapes, expected = torch_references.read(name)
    kind, options = torch_weights.infer_network(shapes, name, case.model)
    assert (options.resolution, options.spectral_norm) == (case.resolution, case.spectral_norm)
    network = kind(options)
    network.build_variables()
    torch_weights.load_state_dict(network, torch_references.random_state_dict(shapes), name)
    inputs = torch_references.random_inputs(case)
    for mode in ("inference", "training"):  # the latter moves statistics, so it is last
        result = np.asarray(network(inputs, training=mode == "training"))
        assert result.dtype == np.float64
        assert result.std() > 1e4 * EXACT
        assert result.ndim == 2 or (abs(result) < 0.99).mean() > 0.9
        np.testing.assert_allclose(
            torch_references.digest(result), expected[mode], rtol=0, atol=EXACT, err_msg=mode
        )
    state = torch_references.state_digest(torch_weights.to_state_dict(network))
    np.testing.assert_allclose(state, expected["state"], rtol=0, atol=EXACT)
