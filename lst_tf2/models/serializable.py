"""What Keras asks of a layer or model: that it is built, and from which arguments."""

import dataclasses
import inspect

import keras

from lst_tf2.config import ModelConfig

registered = keras.saving.register_keras_serializable("lst_tf2")


class Rebuildable:
    """Mixin of layers and models that keep each argument under its own name.

    All their variables are made in `__init__`, so they are built from the start: Keras need not
    run them once more, on placeholders, to find out.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def get_config(self) -> dict:
        """Returns the arguments of `__init__` and those of Keras, as plain JSON types."""
        _, *parameters = inspect.signature(type(self).__init__).parameters.values()
        names = [each.name for each in parameters if each.kind is not each.VAR_KEYWORD]
        values = {name: _plain(getattr(self, name)) for name in names}
        return super().get_config() | {"name": self.name} | values

    @classmethod
    def from_config(cls, config: dict) -> "Rebuildable":
        """Returns a new one of the arguments that `get_config` gave, with fresh variables.

        Raises:
            InputError: If a setting of the model is out of bounds.
        """
        values = dict(config)
        if "config" in values:
            values["config"] = ModelConfig.from_plain(values["config"])
        return super().from_config(values)


def _plain(value):
    """Returns settings as a dictionary in which tuples are lists, anything else as it is."""
    if not dataclasses.is_dataclass(value):
        return value
    settings = dataclasses.asdict(value)
    return {name: list(v) if isinstance(v, tuple) else v for name, v in settings.items()}
