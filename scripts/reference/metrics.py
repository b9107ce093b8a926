"""Scores of scikit-learn, SciPy, seqeval, rouge-score, sacrebleu and SQuAD's evaluation for random predictions: test/reference/metrics.json.

    python metrics.py

Needs scikit-learn, scipy, seqeval, rouge-score, sacrebleu; and transformers below 5, whose data/metrics/squad_metrics.py is the evaluation of
SQuAD 2.0 (its folder or wheel first in PYTHONPATH). That of 1.1 differs in the F1 of empty answers only, which is written here as published.
"""
import ast
import collections
import importlib.util
import json
import random
import re
import string
import warnings
from pathlib import Path

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from scipy.stats import pearsonr, spearmanr
from seqeval.metrics import classification_report as entity_classes, f1_score as entity_f1
from seqeval.metrics import accuracy_score as tag_accuracy, precision_score as entity_precision, recall_score as entity_recall
from seqeval.scheme import IOB2
from sklearn.metrics import (accuracy_score, f1_score, matthews_corrcoef, mean_absolute_error, mean_squared_error, precision_recall_fscore_support,
                             precision_score, recall_score)

ROOT = Path(__file__).parents[2]
warnings.filterwarnings("ignore")
chance = random.Random(3)


def squad():
    """The functions of transformers' squad_metrics.py, without what else the file imports."""
    source = Path(importlib.util.find_spec("transformers").submodule_search_locations[0], "data/metrics/squad_metrics.py").read_text()
    wanted = {"normalize_answer", "get_tokens", "compute_exact", "compute_f1", "get_raw_scores"}
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in wanted]
    names = {"collections": collections, "re": re, "string": string}
    exec(compile(tree, "squad_metrics.py", "exec"), names)
    return names


def averages(expected, predicted, **options):
    made = {}
    for average in ["macro", "weighted", "micro"]:
        precision, recall, f1, _ = precision_recall_fscore_support(expected, predicted, average=average, zero_division=0, **options)
        made[average] = {"precision": precision, "recall": recall, "f1": f1}
    return made


def classes():
    cases = []
    for count, size in [(4, 60), (2, 40), (5, 12), (3, 1)]:
        expected = [chance.randrange(count) for _ in range(size)]
        predicted = [label if chance.random() < 0.6 else chance.randrange(count) for label in expected]
        case = {"numClasses": count, "expected": expected, "predicted": predicted, **averages(expected, predicted),
                "matthews": matthews_corrcoef(expected, predicted) if size > 1 else 0}
        if count == 2:
            scores = [score(expected, predicted, pos_label=1) for score in [precision_score, recall_score, f1_score]]
            case["binary"] = dict(zip(["precision", "recall", "f1"], scores))
        cases.append(case)
    same = {"numClasses": 2, "expected": [1, 1, 0], "predicted": [1, 1, 1], "matthews": matthews_corrcoef([1, 1, 0], [1, 1, 1])}
    return cases + [{**same, **averages([1, 1, 0], [1, 1, 1]), "binary": {"precision": 2 / 3, "recall": 1, "f1": 0.8}}]


def labels():
    expected = [[int(chance.random() < 0.4) for _ in range(5)] for _ in range(30)]
    predicted = [[bit if chance.random() < 0.8 else 1 - bit for bit in row] for row in expected]
    return {"expected": expected, "predicted": predicted, "accuracy": accuracy_score(expected, predicted), **averages(expected, predicted)}


def numbers():
    expected = [round(chance.uniform(-2, 5), 1) for _ in range(40)]
    predicted = [round(value + chance.gauss(0, 1), 1) for value in expected]  # with ties
    return {"expected": expected, "predicted": predicted, "mse": mean_squared_error(expected, predicted),
            "mae": mean_absolute_error(expected, predicted), "pearson": pearsonr(expected, predicted).statistic,
            "spearman": spearmanr(expected, predicted).statistic}


def entities():
    def sentence(tags, length):
        return [chance.choice(tags) for _ in range(length)]

    def case(expected, predicted, **options):
        report = entity_classes(expected, predicted, output_dict=True, zero_division=0, **options)
        summary = {"micro avg", "macro avg", "weighted avg"}
        return {"expected": expected, "predicted": predicted, "strict": bool(options),
                "precision": entity_precision(expected, predicted, zero_division=0, **options),
                "recall": entity_recall(expected, predicted, zero_division=0, **options),
                "f1": entity_f1(expected, predicted, zero_division=0, **options),
                "macroF1": float(report["macro avg"]["f1-score"]), "weightedF1": float(report["weighted avg"]["f1-score"]),
                "accuracy": tag_accuracy(expected, predicted),
                "types": {name: {"precision": float(found["precision"]), "recall": float(found["recall"]), "f1": float(found["f1-score"]),
                                 "support": int(found["support"])} for name, found in report.items() if name not in summary}}

    iob = ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "I-ORG"]
    all_tags = [*iob, "S-PER", "E-LOC", "S-ORG", "E-PER", "B-X-Y", "I-X-Y"]
    cases = []
    for tags in [iob, all_tags]:
        expected = [sentence(tags, chance.randrange(1, 12)) for _ in range(25)]
        predicted = [[tag if chance.random() < 0.7 else chance.choice(tags) for tag in row] for row in expected]
        cases.append(case(expected, predicted))
        if tags is iob:
            cases.append(case(expected, predicted, mode="strict", scheme=IOB2))
    return cases


WORDS = "the whale rose under a boat and It sank, slowly; 3.5 million men (a few) saw one. U.S. ships were re-armed & ready Der Bär ging heim -".split()


def text(length):
    return " ".join(chance.choice(WORDS) for _ in range(length))


def changed(line):
    return " ".join(word if chance.random() < 0.75 else chance.choice(WORDS) for word in line.split(" ") if chance.random() < 0.9)


def summaries():
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"])
    expected = ["\n".join(text(chance.randrange(1, 9)) for _ in range(chance.randrange(1, 4))) for _ in range(12)] + ["", "Gleich.", "a b c d a b"]
    predicted = ["\n".join(map(changed, line.split("\n"))) for line in expected[:12]] + ["a word", "", "d a b c b a"]
    scores = [scorer.score(truth, guess) for truth, guess in zip(expected, predicted)]
    named = [{kind: {"precision": found.precision, "recall": found.recall, "f1": found.fmeasure} for kind, found in score.items()} for score in scores]
    return {"expected": expected, "predicted": predicted, "scores": named}


def translations():
    def case(predicted, expected):
        columns = list(map(list, zip(*expected)))
        bleu = sacrebleu.corpus_bleu(predicted, columns)
        return {"predicted": predicted, "expected": expected, "bleu": bleu.score, "precisions": bleu.precisions, "penalty": bleu.bp,
                "chrf": sacrebleu.corpus_chrf(predicted, columns).score}

    truths = [text(chance.randrange(3, 14)) for _ in range(15)]
    cases = [case(list(map(changed, truths)), [[truth] for truth in truths]),
             case(list(map(changed, truths)), [[truth, changed(truth)] for truth in truths]),
             case(["a b", "c"], [["a x"], ["c"]]), case(["nothing"], [["here is"]]), case([""], [["some text"]]),
             case(["a b c d e"], [["a b c d e"]])]
    lines = ["It's 3.5% (about $4,000.00), e.g. “here”—there.", "U.S.A. won 3-2; cost: 1,5.", "a-\nb &amp; c &lt;d&gt; &quot;e&quot; <skipped>f", "x.y,z 2.a b,3 -4 5-6",
             "日本語。ok [x] {y} ~z^ `w` \\ / @me #1"]
    tokenizer = sacrebleu.metrics.bleu._get_tokenizer("13a")()
    return {"cases": cases, "tokens": [[line, tokenizer(line.rstrip()).split(" ")] for line in lines]}


def answers():
    functions = squad()
    expected = [[text(chance.randrange(1, 5)) for _ in range(chance.randrange(1, 4))] for _ in range(20)] + [[], [], ["The"], ["an apple"], ["U.S."]]
    predicted = [row[0] if chance.random() < 0.4 else changed(row[-1]) for row in expected[:20]] + ["", "something", "", "Apple!", "us"]

    def published_f1(guess, truth):  # evaluate-v1.1.py
        guess, truth = (functions["normalize_answer"](each).split() for each in (guess, truth))
        same = sum((collections.Counter(guess) & collections.Counter(truth)).values())
        if same == 0:
            return 0
        precision, recall = same / len(guess), same / len(truth)
        return 2 * precision * recall / (precision + recall)

    made = {}
    Question = collections.namedtuple("Question", "qas_id answers")
    questions = [Question(str(at), [{"text": truth} for truth in row]) for at, row in enumerate(expected)]
    exact, f1 = functions["get_raw_scores"](questions, {str(at): guess for at, guess in enumerate(predicted)})
    mean = lambda values: 100 * sum(values) / len(values)
    made["v2"] = {"exactMatch": mean(exact.values()), "f1": mean(f1.values())}
    known = [(guess, row) for guess, row in zip(predicted, expected) if row]
    made["v1"] = {"predicted": [guess for guess, _ in known], "expected": [row for _, row in known],
                  "exactMatch": mean([max(functions["compute_exact"](truth, guess) for truth in row) for guess, row in known]),
                  "f1": mean([max(published_f1(guess, truth) for truth in row) for guess, row in known])}
    normalized = ["The  cat, an' a dog-house!", "ÉCOLE des Théâtres", "a\tb\n the", "A.", "5,000 $", "the‘quoted’ an_x"]
    return {"predicted": predicted, "expected": expected, **made,
            "normalized": [[line, functions["normalize_answer"](line)] for line in normalized]}


found = {"classes": classes(), "labels": labels(), "numbers": numbers(), "entities": entities(), "summaries": summaries(),
         "translations": translations(), "answers": answers()}
(ROOT / "test/reference/metrics.json").write_text(json.dumps(found, default=float, ensure_ascii=False) + "\n")
