"""Attacks: perturbed images that a network misclassifies, checked after the fact, the same for any batch size.

Every file of this folder that does not start with ``_`` is an attack; see docs/add-an-attack.md. Importing this
package does not import Foolbox: the components do.
"""

from freqmaps.attacks._api import AttackPlan
from freqmaps.attacks._result import AttackResult, to_dataset
from freqmaps.attacks._run import attack_images

__all__ = ["AttackPlan", "AttackResult", "attack_images", "to_dataset"]
