"""Losses of sentence-transformers and their gradients over given embeddings: test/reference/similarity.json.

    python similarity.py
"""
import json
from pathlib import Path

import torch
from sentence_transformers.losses import CosineSimilarityLoss, MultipleNegativesRankingLoss
from sentence_transformers.util import pairwise_cos_sim

ROOT = Path(__file__).parents[2]
torch.manual_seed(2)


def case(groups, loss_of, **more):
    leaves = [torch.randn(4, 6, requires_grad=True) for _ in range(groups)]
    loss = loss_of(leaves)
    loss.backward()
    flat = lambda tensors: torch.cat(tensors).flatten().tolist()
    return {"rows": groups * 4, "pooled": flat([leaf.detach() for leaf in leaves]), "loss": loss.item(),
            "gradient": flat([leaf.grad for leaf in leaves]), **more}


ranking = MultipleNegativesRankingLoss(model=None)
scores = [0.9, -0.2, 0.4, 1.0]
cosine = CosineSimilarityLoss(model=torch.nn.Identity())
found = {
    "multiple_negatives": [case(2, lambda rows: ranking.compute_loss_from_embeddings(rows, None)),
                           case(3, lambda rows: ranking.compute_loss_from_embeddings(rows, None))],
    "cosine": case(2, lambda rows: cosine.loss_fct(cosine.cos_score_transformation(pairwise_cos_sim(*rows)), torch.tensor(scores)), scores=scores),
}
(ROOT / "test/reference/similarity.json").write_text(json.dumps(found) + "\n")
