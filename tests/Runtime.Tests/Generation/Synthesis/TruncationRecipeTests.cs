using System.Text;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

public sealed class TruncationRecipeTests
{
    // What mtpb_sample.py and sample.py of salesforce/CodeGen pass.
    private static readonly string[] SamplePatterns = ["^#", "<\\|endoftext\\|>", "^'''", "^\"\"\"", "\n\n\n"];

    private static readonly string[] Fragments =
        ["\n", "\n\n", "\n\n\n", "def ", "print", "#", "    ", "  ", "\t", "x", "x:", "'''", "\"\"\"", "<|endoftext|>", "<|end", "<eom>", "class ", "if ", "@",
            "from ", "import", "pri", "\r\n"];

    private static readonly (string Name, TruncationRecipe Recipe)[] Recipes =
    [
        ("none", TruncationRecipe.None), ("human-eval", TruncationRecipe.HumanEval), ("codegen", TruncationRecipe.MultiTurn),
        ("dedent", TruncationRecipe.Dedent),
        ("end-of-mask", TruncationRecipe.EndOfMask), ("patterns", TruncationRecipe.BeforePatterns("^@", "x+\n")),
    ];

    [TestCase("    return 1\ndef g():", "    return 1")]
    [TestCase("    return 1\n# next", "    return 1")]
    [TestCase("    return 1\nclass A:", "    return 1")]
    [TestCase("    return 1\nif x:", "    return 1")]
    [TestCase("    return 1\nprint(1)", "    return 1")]
    [TestCase("    return 1\n\n\nx", "    return 1")]
    [TestCase("    return 1\nimport os", "    return 1")]
    [TestCase("    return 1\nfrom os", "    return 1")]
    [TestCase("    return 1\n@f", "    return 1")]
    [TestCase("    x = 1\n    # def print if\n    return x\n", "    x = 1\n    # def print if\n    return x\n")]
    [TestCase("def g():", "def g():")]
    public void HumanEval_cuts_before_the_next_top_level_statement(string completion, string expected) =>
        Assert.That(TruncationRecipe.HumanEval.Apply(completion), Is.EqualTo(expected));

    [TestCase("def f():\n", "    a\n    b\n\nc\n", "    a\n    b")]
    [TestCase("def f():\n", "    if a:\n        b\n    c\nd", "    if a:\n        b\n    c")]
    [TestCase("def f():\n    if a:\n", "        b\n    c\n", "        b")]
    [TestCase("def f():\n    return ", "1\n    more\nx", "1\n    more")]
    [TestCase("def f():\n    ", "return 1\nx", "return 1")]
    [TestCase("def f():", "\n    return 1\nx", "\n    return 1")]
    [TestCase("def f():  # why", "\n    return 1\nx", "\n    return 1")]
    [TestCase("def f(", "x):\n    return x\ny", "x):\n    return x")]
    [TestCase("def f():\n", "\ta\n        b\nc", "\ta\n        b")]
    [TestCase("def f():\n", "\n\n    a\n \nb", "\n\n    a")]
    [TestCase("# set x\n", "x = 1\n\ny = 2\n", "x = 1\n\ny = 2\n")]
    [TestCase("def f():\n", "    a\n\n\n", "    a\n\n\n")]
    [TestCase("", "", "")]
    public void Dedent_cuts_where_a_line_is_indented_less_than_the_block(string prompt, string completion, string expected) =>
        Assert.That(TruncationRecipe.Dedent.Apply(completion, prompt), Is.EqualTo(expected));

    [Test]
    public void End_of_mask_cuts_before_eom_and_none_nowhere()
    {
        Assert.That(TruncationRecipe.EndOfMask.Apply("a\n\n\nb<eom>c<eom>"), Is.EqualTo("a\n\n\nb"));
        Assert.That(TruncationRecipe.None.Apply("a\n\n\nb<eom>"), Is.EqualTo("a\n\n\nb<eom>"));
    }

    [Test]
    public void CodeGen_is_truncate_before_pattern_with_the_patterns_of_its_sample_script()
    {
        var random = new Random(7);
        for (int i = 0; i < 3000; i++)
        {
            string text = RandomText(random);
            string expected = CompletionTruncation.Truncate(text, SamplePatterns);
            Assert.That(TruncationRecipe.MultiTurn.Apply(text), Is.EqualTo(expected), text);
            Assert.That(TruncationRecipe.BeforePatterns(SamplePatterns).Apply(text), Is.EqualTo(expected), text);
        }
    }

    [Test]
    public void What_is_found_while_a_text_grows_is_found_of_the_whole([ValueSource(nameof(Recipes))] (string Name, TruncationRecipe Recipe) tested)
    {
        var random = new Random(11);
        for (int i = 0; i < 400; i++)
        {
            string text = RandomText(random), prompt = random.Next(2) == 0 ? "def f():\n" : "def f():\n    y";
            string expected = tested.Recipe.Apply(text, prompt);
            int stays = 0;
            for (int length = 0; length <= text.Length; length++)
            {
                TruncationPoint point = tested.Recipe.Find(prompt, text[..length], complete: false);
                Assert.That(point.Length, Is.InRange(stays, expected.Length), text);
                Assert.That(!point.IsCertain || point.Length == expected.Length, text);
                stays = point.Length;
            }
        }
    }

    [Test]
    public void A_cut_is_certain_as_soon_as_its_text_has_come()
    {
        TruncationPoint Find(string text) => TruncationRecipe.HumanEval.Find("", text, complete: false);
        var certain = new TruncationPoint(3, IsCertain: true);
        Assert.That((Find("  a\n"), Find("  a\n#"), Find("  a\n#bcdef")), Is.EqualTo((new TruncationPoint(3, IsCertain: false), certain, certain)));
    }

    [Test]
    public void A_wrong_pattern_is_refused_at_once() => Assert.That(() => TruncationRecipe.BeforePatterns("("), Throws.TypeOf<TokenizerException>());

    private static string RandomText(Random random) =>
        string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => Fragments[random.Next(Fragments.Length)]));

    private static readonly (TruncationRecipe Recipe, string Prompt)[] s_ends =
    [
        (TruncationRecipe.HumanEval, "def add(a, b):\n"), (TruncationRecipe.MultiTurn, "# set x to 7\n"), (TruncationRecipe.Dedent, "def hello_world():"),
        (TruncationRecipe.Dedent, "def f(x):\n    if x:"),
    ];

    [Test]
    public async Task A_text_that_ends_where_the_cut_is_certain_is_cut_like_one_that_went_on([Values(0, 1, 2, 3)] int number)
    {
        (TruncationRecipe recipe, string prompt) = s_ends[number];
        using TextGenerator generator = TextGenerator.Load(TestData.Model("demo-codegen"));
        var options = new GenerationOptions { MaxNewTokens = 120, EosTokenId = [] };
        GeneratedSequence whole = generator.GenerateSequences([prompt], options).Sequences[0];
        var ends = options with { Truncation = recipe };
        IReadOnlyList<GeneratedSequence> ended = generator.GenerateSequences([prompt, "class Stack:\n"], ends).Sequences;
        Assert.That(ended[0].Text, Is.EqualTo(recipe.Apply(whole.Text, prompt)));
        Assert.That(ended[0].TokenIds, Has.Count.LessThan(whole.TokenIds.Count));
        Assert.That(ended[0].FinishReason, Is.EqualTo(FinishReason.Criterion));
        var (streamed, last) = (new StringBuilder(), default(TextPiece));
        await foreach (TextPiece piece in generator.StreamAsync(prompt, ends))
            streamed.Append((last = piece).Text);
        Assert.That((streamed.ToString(), last!.FinishReason), Is.EqualTo((ended[0].Text, (FinishReason?)FinishReason.Criterion)));
        string[] patterns = ["^nothing like this"];
        string afterPatterns = recipe.Apply(CompletionTruncation.Truncate(whole.Text, patterns), prompt);
        Assert.That(generator.Generate(prompt, ends with { TruncateBeforePattern = patterns }), Is.EqualTo(afterPatterns));
    }
}
