"""Every data set by name, with what is needed to use it: the one place that knows them all.

It imports none of them: a set's own file is imported when the set is read.
"""

from __future__ import annotations

from vptsp.data.published_counts import Counts
from vptsp.data.set_description import Archive, Sources
from vptsp.data.sources.vtab_tasks import TASKS

CUB_LISTS = "images/, images.txt, image_class_labels.txt, classes.txt"
CUB_WHERE = "Caltech (data.caltech.edu/records/65de6-vp158), for research and education, not for sale"
CUB_ARCHIVE = Archive(
    "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
    "97eceeb196236b17998738112f37df78",
    "CUB_200_2011",
)
CARS_LAYOUT = (
    "cars_annos.mat and car_ims/, or devkit/, cars_test_annos_withlabels.mat, cars_train/ and cars_test/, or folders "
    "<class>/<image>, alone or below train/ and test/"
)
CARS_WHERE = "the authors' page is gone; copies on Kaggle and the Hugging Face hub (search for Stanford Cars); research"
FLOWERS = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102"
INAT = "https://ml-inat-competition-datasets.s3.amazonaws.com/2018"
VTAB_LAYOUT = "{task}/ with images/, train800.txt, val200.txt and test.txt (as released by NOAH and SSF)"
VTAB_WHERE = "VTAB-1k as images, linked by the releases of NOAH, SSF and PETL-ViT; each task has its own terms"

_HERE = "vptsp.data"
DATASETS = Sources("data set")
DATASETS.add(
    "blossoms",
    f"{_HERE}.blossoms:blossoms",
    title="procedural flowers",
    root="none",
)
DATASETS.add("digits", f"{_HERE}.digits:digits", title="scikit-learn's digits, 0-4 and 5-9", root="none")
DATASETS.add(
    "omniglot",
    f"{_HERE}.omniglot:omniglot",
    title="Omniglot characters",
    root="optional",
    layout="torchvision's omniglot-py/, or train/<class>/<image> and test/<class>/<image>",
    where="downloaded by torchvision when first used; MIT licence",
)
DATASETS.add(
    "folder",
    f"{_HERE}.folder:split_set",
    title="any folder of images",
    layout="train/<class>/<image> and test/<class>/<image>",
)
DATASETS.add(
    "photos",
    f"{_HERE}.photos:photos",
    title="any folder of photos, some classes of which are kept back for the test",
    layout="<class>/<image>",
)
DATASETS.add(
    "table",
    f"{_HERE}.sources.table:table",
    title="any CSV or Parquet table",
    root="file",
    layout="a table with the columns path,label,split and, if wanted, is_query,is_gallery",
)
DATASETS.add(
    "shards",
    f"{_HERE}.sources.shards:shards",
    title="WebDataset shards: tars of images with labels",
    layout="train/*.tar and test/*.tar (or tars with these words in their names, as in birds-train-000000.tar), each "
    "sample an image and its .cls, .json or .txt",
    where="vptsp data prepare DATASET --shards --out FOLDER writes them of any data set",
)
DATASETS.add(
    "hub",
    f"{_HERE}.sources.hub:hub",
    title="Hugging Face data set",
    root="optional",
    layout="a data set saved by save_to_disk",
    where="hub_name=OWNER/NAME fetches it; each has its own terms",
)
DATASETS.add(
    "cub",
    f"{_HERE}.sources.birds:cub",
    title="CUB-200-2011 birds",
    task="retrieval",
    layout=CUB_LISTS,
    expected=Counts((5_864, 100), (5_924, 100)),
    where=CUB_WHERE,
    archives=(CUB_ARCHIVE,),
)
DATASETS.add(
    "cars",
    f"{_HERE}.sources.cars:cars",
    title="Cars196",
    task="retrieval",
    layout=CARS_LAYOUT,
    expected=Counts((8_054, 98), (8_131, 98)),
    where=CARS_WHERE,
)
DATASETS.add(
    "sop",
    f"{_HERE}.sources.products:sop",
    title="Stanford Online Products",
    task="retrieval",
    layout="Ebay_train.txt, Ebay_test.txt and the folders bicycle_final/ to toaster_final/",
    expected=Counts((59_551, 11_318), (60_502, 11_316)),
    where="cvgl.stanford.edu/projects/lifted_struct, an archive on Google Drive; research",
)
DATASETS.add(
    "inshop",
    f"{_HERE}.sources.inshop:inshop",
    title="In-Shop Clothes Retrieval",
    task="retrieval",
    layout="list_eval_partition.txt (or Eval/list_eval_partition.txt) and img/",
    expected=Counts((25_882, 3_997), (26_830, 3_985), query=14_218, gallery=12_612),
    where="DeepFashion (mmlab.ie.cuhk.edu.hk/projects/DeepFashion), after agreeing to its terms; research",
)
DATASETS.add(
    "inaturalist",
    f"{_HERE}.sources.inaturalist:inaturalist",
    title="iNaturalist 2018 for retrieval",
    task="retrieval",
    layout="train_val2018/ and Inat_dataset_splits/Inaturalist_train_set1.txt and Inaturalist_test_set1.txt",
    expected=Counts((325_846, 5_690), (136_093, 2_452)),
    where="images: github.com/visipedia/inat_comp, 120 GB, research and education; set lists: "
    "github.com/Andrew-Brown1/Smooth_AP, by hand",
    archives=(Archive(f"{INAT}/train_val2018.tar.gz", "b1c6952ce38f31868cc50ea72d066cc3", "train_val2018"),),
)
DATASETS.add(
    "fgvc_cub",
    f"{_HERE}.sources.birds:fgvc_cub",
    title="CUB-200-2011, VPT's FGVC",
    task="recognition",
    layout=CUB_LISTS + ", train_test_split.txt (or VPT's train.json, val.json, test.json)",
    expected=Counts((5_994, 200), (5_794, 200)),
    where=CUB_WHERE,
    archives=(CUB_ARCHIVE,),
)
DATASETS.add(
    "fgvc_nabirds",
    f"{_HERE}.sources.birds:fgvc_nabirds",
    title="NABirds, VPT's FGVC",
    task="recognition",
    layout=CUB_LISTS + ", train_test_split.txt (or VPT's train.json, val.json, test.json)",
    expected=Counts((23_929, 555), (24_633, 555)),
    where="Cornell Lab of Ornithology (dl.allaboutbirds.org/nabirds), after agreeing to its terms; non-commercial",
)
DATASETS.add(
    "fgvc_flowers",
    f"{_HERE}.sources.flowers:fgvc_flowers",
    title="Oxford Flowers 102, VPT's FGVC",
    task="recognition",
    layout="jpg/, imagelabels.mat and setid.mat (or VPT's train.json, val.json, test.json)",
    expected=Counts((2_040, 102), (6_149, 102)),
    where="www.robots.ox.ac.uk/~vgg/data/flowers/102",
    archives=(
        Archive(f"{FLOWERS}/102flowers.tgz", "52808999861908f626f3c1f4e79d11fa", "jpg"),
        Archive(f"{FLOWERS}/imagelabels.mat", "e0620be6f572b9609742df49c70aed4d", "imagelabels.mat"),
        Archive(f"{FLOWERS}/setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c", "setid.mat"),
    ),
)
DATASETS.add(
    "fgvc_dogs",
    f"{_HERE}.sources.dogs:fgvc_dogs",
    title="Stanford Dogs, VPT's FGVC",
    task="recognition",
    layout="Images/, train_list.mat and test_list.mat (or VPT's train.json, val.json, test.json)",
    expected=Counts((12_000, 120), (8_580, 120)),
    where="vision.stanford.edu/aditya86/ImageNetDogs, images.tar and lists.tar; ImageNet's terms",
)
DATASETS.add(
    "fgvc_cars",
    f"{_HERE}.sources.cars:fgvc_cars",
    title="Stanford Cars, VPT's FGVC",
    task="recognition",
    layout=CARS_LAYOUT + " (or VPT's train.json, val.json, test.json)",
    expected=Counts((8_144, 196), (8_041, 196)),
    where=CARS_WHERE,
)
for _task, _about in TASKS.items():
    DATASETS.add(
        f"vtab_{_task}",
        f"{_HERE}.sources.vtab:vtab",
        title=f"VTAB-1k {_about.group}: {_about.title}",
        task="recognition",
        layout=VTAB_LAYOUT.format(task=_task),
        expected=Counts((1_000, _about.classes), (_about.test_images, _about.classes)),
        where=VTAB_WHERE,
    )
