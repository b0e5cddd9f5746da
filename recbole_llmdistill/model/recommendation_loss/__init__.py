"""L_rec of whole-sequence training: the loss of N states against the item catalogue.

Every loss here is a module without parameters and with one signature,

    loss(states [N, H], item_embeddings [I, H], targets [N], bias [I] | None) -> scalar, the mean over the N

where row 0 of ``item_embeddings`` is RecBole's padding item. The mean over no state at all is 0.
:func:`~recbole_llmdistill.model.recommendation_loss.build.build_recommendation_loss` chooses one.
"""
