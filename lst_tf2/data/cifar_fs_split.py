"""The classes of CIFAR-FS (Bertinetto et al., arXiv:1805.08136): CIFAR-100 in 64 / 16 / 20.

The names are the fine labels of CIFAR-100. The lists are those of the authors' data set, its
`splits/bertinetto/{train,val,test}.txt`, as Torchmeta repeats them in
`torchmeta/datasets/assets/cifar100/cifar-fs/{train,val,test}.json`; here sorted.
"""

CIFAR_FS_CLASSES: dict[str, tuple[str, ...]] = {
    "train": (
        *("apple", "aquarium_fish", "bear", "bee", "bottle", "bowl", "boy", "bridge", "bus"),
        *("can", "castle", "caterpillar", "chair", "clock", "cloud", "cockroach", "couch", "cup"),
        *("dinosaur", "dolphin", "elephant", "forest", "girl", "hamster", "house", "kangaroo"),
        *("keyboard", "lawn_mower", "lion", "lizard", "lobster", "mountain", "mouse", "mushroom"),
        *("oak_tree", "orange", "orchid", "palm_tree", "pear", "pine_tree", "plate", "porcupine"),
        *("possum", "rabbit", "raccoon", "ray", "road", "seal", "shrew", "skunk", "skyscraper"),
        *("snake", "spider", "squirrel", "streetcar", "sunflower", "tank", "tiger", "train"),
        *("trout", "tulip", "turtle", "willow_tree", "wolf"),
    ),
    "val": (
        *("beaver", "beetle", "butterfly", "camel", "cattle", "crab", "crocodile", "flatfish"),
        *("lamp", "maple_tree", "motorcycle", "otter", "sea", "shark", "television", "tractor"),
    ),
    "test": (
        *("baby", "bed", "bicycle", "chimpanzee", "fox", "leopard", "man", "pickup_truck"),
        *("plain", "poppy", "rocket", "rose", "snail", "sweet_pepper", "table", "telephone"),
        *("wardrobe", "whale", "woman", "worm"),
    ),
}
