import torch

from benchmarks import limits
from benchmarks.timing import row


def test_operations_are_those_of_the_products_forward_and_backward():
    left, right = torch.ones(2, 3, requires_grad=True), torch.ones(3, 5)
    with torch.no_grad(), limits.Operations() as forward:
        torch.nn.Linear(4, 2)(left.flatten()[:4])
        left.flatten()
    assert forward.total == 2 * 2 * 4
    with limits.Operations() as both:
        (left @ right).sum().backward()
    assert both.total == 2 * (2 * 2 * 3 * 5)


def test_a_limit_names_the_least_time_of_operations_and_bytes(monkeypatch):
    monkeypatch.setattr(limits, "operations_a_second", lambda dtype: 1e9)
    monkeypatch.setattr(limits, "bytes_a_second", lambda: 1e9)
    matrix = torch.ones(100, 100)
    text = limits.limit_of(lambda: matrix @ matrix, matrix)
    assert "0.002 GFLOP take 2 ms at the 1 GFLOP/s" in text
    assert "0.04 MB 0.04 ms at 1 GB/s" in text


def test_a_row_that_is_not_reached_carries_its_limit():
    asked = []
    limit = lambda: asked.append(1) or "disk"  # noqa: E731
    assert row("a", "b", [3.0], least=2, limit=limit).note == "" and not asked
    assert row("a", "b", [1.0], least=2, limit=limit).note == "limit: disk"
