"""Several processes as one: a world of them, how it comes about, and what its processes tell each other.

A run on several devices is one process per device. Each embeds its share of a batch; embeddings and labels are
gathered, and every process computes the loss of the whole batch, as one process would. So proxies, semantic container
and optimisers are the same in all of them, and nothing that a run leaves on disk depends on how many there were.

Read it in this order:

- :mod:`~vptsp.devices.surroundings`: what torchrun, srun or :mod:`~vptsp.devices.launch` say of this process;
- :mod:`~vptsp.devices.world`: the processes of a run, what each has of a batch, and how they act as one;
- :mod:`~vptsp.devices.gather`: rows of all processes, with gradients;
- :mod:`~vptsp.devices.launch`: the processes of one call, on this machine;
- :mod:`~vptsp.devices.alike`: whether all processes have the same code and settings;
- :mod:`~vptsp.devices.traffic`: the bytes of a step, by formula.

The processes are Lightning Fabric's and torch.distributed's; nothing here sends a byte by itself.
"""
