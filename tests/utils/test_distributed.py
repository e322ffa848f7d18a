"""What two processes share, over gloo."""

import torch
import torch.distributed as dist

from slowfast_ext.utils import distributed
from tests.processes import FORKS


def share(rank, folder):
    """One of two processes, whose statistics are its number's."""
    store = f"file://{folder}/store"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    network = torch.nn.BatchNorm1d(3)
    for tensor in network.state_dict().values():
        tensor.fill_(5 + rank)
    distributed.share_buffers(network)
    torch.save(network.state_dict(), folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_buffers_are_those_of_the_main_process(tmp_path):
    processes = [FORKS.Process(target=share, args=(rank, tmp_path)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    shared, own = torch.load(tmp_path / "1.pt", weights_only=True), {"weight", "bias"}
    assert {name: int(value.max()) for name, value in shared.items()} == {
        name: 6 if name in own else 5 for name in shared
    }
