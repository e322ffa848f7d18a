"""The paper's head: observations -> activity-specific features -> correlation -> two outputs."""

import torch

from slowfast_ext.models.activity_features import ActivityFeatures, PooledFeatures
from slowfast_ext.models.build import HEAD_REGISTRY, Head, check_groups
from slowfast_ext.models.correlation import ActivityCorrelation
from slowfast_ext.models.evidence import PositionEvidence
from slowfast_ext.models.objects import ColumnsOf, Context, EmbeddedColumnsOf
from slowfast_ext.models.observations import Observations
from slowfast_ext.models.outputs import ActivityClassifier, probabilities


@HEAD_REGISTRY.register()
class ActivityHead(Head):
    """
    Activity-specific features and activity correlations (sec. 3, figure 2).

    ACTIVITY.FORM chooses between the form that trains well (`default`) and the equations
    as they stand (`as_printed`). Table 3c's "no activity correlation" switches
    ACTIVITY.CORRELATION off; ACTIVITY.ACTIVITY_FEATURES False puts a linear map per activity in
    the attentions' place.

    ACTIVITY.COLUMN_DIM lets all of it see a ColumnEmbedding of F's columns in their place,
    ACTIVITY.EVIDENCE adds a PositionEvidence's logits to those of both outputs, and
    ACTIVITY.RESIDUAL_CORRELATION makes F_AC a sum with F_A; in the default form alone.
    """

    def __init__(self, cfg, dim_in):
        options, num_activities = cfg.ACTIVITY, cfg.MODEL.NUM_CLASSES
        as_printed = options.FORM == "as_printed"
        has_evidence = options.EVIDENCE and not as_printed
        super().__init__(cfg, (num_activities, options.DIM + has_evidence))
        is_embedded = options.COLUMN_DIM and not as_printed
        self.columns = (EmbeddedColumnsOf if is_embedded else ColumnsOf)(cfg, dim_in)
        dim_in = self.columns.dim
        # What is switched off is None, and has no tensors in a checkpoint.
        self.observations = self.activity_features = self.pooled_features = None
        self.correlation = self.correlated_classifier = None
        if options.ACTIVITY_FEATURES:
            check_groups(cfg, dim_in, "ACTIVITY.COLUMN_DIM's" if is_embedded else "the backbone's")
            self.observations = Observations(
                dim_in, options.NUM_OBSERVATIONS, options.DIM, options.GROUPS, as_printed
            )
            self.activity_features = ActivityFeatures(num_activities, options.DIM, as_printed)
        else:
            self.pooled_features = PooledFeatures(dim_in, num_activities, options.DIM)
        classifier = (
            num_activities,
            options.DIM,
            cfg.MODEL.DROPOUT_RATE,
            options.CLASSIFIER == "per_activity",
        )
        self.classifier = ActivityClassifier(*classifier)
        if options.CORRELATION:
            residual = options.RESIDUAL_CORRELATION and not as_printed
            self.correlation = ActivityCorrelation(num_activities, options.DIM, residual)
            self.correlated_classifier = ActivityClassifier(*classifier)
        # Last: the other parts start as they do without it.
        self.evidence = None
        if has_evidence:
            self.evidence = PositionEvidence(
                num_activities, dim_in, cfg.MODEL.FC_INIT_STD, options.EVIDENCE_RANK
            )

    @property
    def cooccurrence(self):
        """Mask (eq. 8), A x A; None without correlation."""
        return None if self.correlation is None else self.correlation.mask

    def set_cooccurrence(self, mask):
        """Takes Mask, A x A, where activities are correlated."""
        if self.correlation is not None:
            self.correlation.mask.copy_(mask)

    def forward(self, features, objects=None, return_attention=False):
        """
        Args:
            features (Tensor): F, B x C x T x H x W.
            objects (Objects): what the clips show, where OBJECTS.NUM_CLASSES is set; or a Context,
                with ACTIVITY.CONTEXT.
            return_attention (bool): also give the attention maps.

        Returns:
            In training a tuple of logits, B x A each: from F_A and, with correlation, from
            F_AC. In evaluation their mean probability, B x A. With `return_attention` a
            pair of that and a dict: `observations` (Attn_O, B x K x T x H x W), `objects`
            (Attn_O's further columns, also a Context's, B x K x M'), `activities` (Attn_A,
            B x A x K), `correlation` (Corr, B x A x A); a part that is switched off has no entry.
        """
        attention = {}
        activity_features = self.embed(features, objects, attention)
        logits = self.classify(activity_features, attention if return_attention else None)
        output = logits if self.training else probabilities(logits, self.activation)
        return (output, attention) if return_attention else output

    def embed(self, features, objects=None, attention=None):
        """
        F, B x C x T x H x W, and Objects -> F_A, B x A x C'; `attention` gets the maps. With
        evidence its logits are one channel more, the last.
        """
        attention = {} if attention is None else attention
        columns = self.columns(features, objects)
        if self.observations is None:
            activity_features = self.pooled_features(columns)
        else:
            observations, over_columns = self.observations(columns)
            activity_features, over_observations = self.activity_features(observations)
            over_positions, over_objects = over_columns.tensor_split([columns.num_positions], -1)
            attention["observations"] = over_positions.unflatten(-1, features.shape[2:])
            if objects is not None:
                attention["objects"] = over_objects
            attention["activities"] = over_observations
        if self.evidence is None:
            return activity_features
        # The frame's would say the same of each person in it.
        own = columns.own() if isinstance(objects, Context) else columns
        return torch.cat([activity_features, self.evidence(own)[..., None]], dim=-1)

    def classify(self, embedding, attention=None):
        """What `embed` gives -> a tuple of logits, B x A each; `attention` gets Corr."""
        activity_features = embedding if self.evidence is None else embedding[..., :-1]
        logits = (self.classifier(activity_features),)
        if self.correlation is not None:
            wanted = attention is not None
            correlated, correlation = self.correlation(activity_features, need_weights=wanted)
            logits += (self.correlated_classifier(correlated),)
            if wanted:
                attention["correlation"] = correlation
        if self.evidence is None:
            return logits
        return tuple(output + embedding[..., -1] for output in logits)
