import torch

from engines.blocks.adam import Adam


def test_it_is_torchs_adam_and_can_be_restored():
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(50, generator=generator, dtype=torch.float64)
    gradients = [torch.randn(50, generator=generator, dtype=torch.float64) for _ in range(20)]
    theirs, ours = start.clone().requires_grad_(), start.clone()
    reference, adam = torch.optim.Adam([theirs], lr=1e-2, weight_decay=1e-3), Adam(ours, weight_decay=1e-3)
    for step, gradient in enumerate(gradients):
        if step == 10:
            state = {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in adam.state().items()}
            adam = Adam(ours, weight_decay=1e-3)
            adam.restore(state)
        reference.param_groups[0]["lr"] = rate = 1e-2 * 0.9**step
        theirs.grad = gradient.clone()
        reference.step()
        adam.step(gradient, rate)
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-12, atol=1e-14)
