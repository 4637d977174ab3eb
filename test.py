"""Meta-tests: episodes of classes never seen before, recurrent self-training in each.

    python test.py --dataset=miniImagenet --shot_num=1 --exp_name=LST_mini_1_shot --test_iter=best

prints accuracy with 95 % intervals beside that of the support set alone, and writes
checkpoints/<exp_name>/results_<setting>.json, .csv and .png. A stage of self-training looks at
--nums_in_folders unlabeled images per class, labels them, keeps the --hard_selection most
confident, re-trains on them for --re_train_epoch_num steps and fine-tunes on the support set up to
--local_update_num steps; --recurrent_stage_nums stages follow each other.
"""

from lst_tf2.cli.commands import test

if __name__ == "__main__":
    test()
