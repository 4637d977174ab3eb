"""The command lines of a small run, and those of the original's front page."""

MODEL = ["--dataset=letters", "--img_size=16", "--filters=4,8", "--pretrain_iterations=2"]
PRETRAIN = ["--phase=pre", "--pretrain_class_num=4", "--pretrain_batch_size=8", *MODEL]
META = [
    "--exp_name=small",
    "--way_num=3",
    "--nb_ul_samples=3",
    "--metatrain_iterations=2",
    "--meta_val_print_step=1",
    "--meta_sum_step=1",
    "--train_episode_num=6",
    "--val_episode_num=2",
    "--protocol=paper",
    # Steps are unrolled: fewer are traced sooner.
    "--train_base_epoch_num=4",
    "--re_train_epoch_num=2",
    *MODEL,
]
TEST = [
    "--exp_name=small",
    "--way_num=3",
    "--nb_ul_samples=3",
    "--nums_in_folders=2",
    "--hard_selection=2",
    "--recurrent_stage_nums=2",
    "--local_update_num=4",
    "--re_train_epoch_num=2",
    "--test_base_epoch_num=5",
    "--test_episode_num=2",
    *MODEL,
]

FRONT_PAGE_TRAIN = (
    "--shot_num=1 --dataset=miniImagenet --pretrain_class_num=64 --nb_ul_samples=10 "
    "--metatrain_iterations=15000 --exp_name=LST_mini_1_shot"
)
FRONT_PAGE_TEST = (
    "--shot_num=1 --dataset=miniImagenet --pretrain_class_num=64 --use_distractors=False "
    "--nb_ul_samples=100 --unfiles_num=10 --test_iter=15000 --recurrent_stage_nums=6 "
    "--nums_in_folders=30 --hard_selection=20 --exp_name=LST_mini_1_shot"
)
