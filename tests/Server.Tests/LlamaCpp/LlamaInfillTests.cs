using System.Net;
using ManagedTransformers.Serving;

namespace ManagedTransformers.Server.Tests;

/// <summary>POST /infill of llama.cpp: what llama.vim and llama.vscode send, and read.</summary>
public sealed class LlamaInfillTests : LlamaTests
{
    private const string Prefix = "def add(a, b):\n    return ", Suffix = "\n\nprint(add(1, 2))\n";
    private const string Gap =
        """{"input_prefix": "def add(a, b):\n    return ", "input_suffix": "\n\nprint(add(1, 2))\n", "n_predict": 12, "temperature": 0""";

    [Test]
    public async Task A_gap_is_filled_as_the_generator_fills_it()
    {
        JsonElement answer = await Server.PostAsync("/infill", Gap + "}");
        Assert.That(Content(answer), Is.EqualTo(Generator.Infill(Prefix, Suffix, new GenerationOptions { MaxNewTokens = 12 })));
        JsonElement[] frames = await Server.StreamAsync("/infill", Gap + ", \"stream\": true}");
        Assert.That(string.Concat(frames.Select(Content)), Is.EqualTo(Content(answer)));
        JsonElement two = await Server.PostAsync("/infill", Gap + ", \"n_cmpl\": 2}");
        Assert.That(two.EnumerateArray().Select(Content), Has.Exactly(2).EqualTo(Content(answer)));
    }

    [Test]
    public async Task What_is_typed_goes_on_with_the_prefix()
    {
        JsonElement answer = await Server.PostAsync("/infill", Gap + ", \"prompt\": \"a +\"}");
        Assert.That(Content(answer), Is.EqualTo(Generator.Infill(Prefix + "a +", Suffix, new GenerationOptions { MaxNewTokens = 12 })));
    }

    [Test]
    public async Task Extra_files_stand_before_the_gap()
    {
        JsonElement answer = await Server.PostAsync("/infill",
            Gap + """, "input_extra": [{"text": "def sub(a, b):\n    return a - b\n"}, {"filename": "mul.py", "text": "def mul(a, b):\n", "time": [1, 2]}]}""");
        var request = new InfillRequest(Prefix, Suffix) { Files = [("tmp", "def sub(a, b):\n    return a - b\n"), ("mul.py", "def mul(a, b):\n")] };
        GenerationOutput own = Generator.InfillSequences(request, new GenerationOptions { MaxNewTokens = 12 });
        Assert.That(Content(answer), Is.EqualTo(own.Sequences[0].Text));
        Assert.That((Count(answer, "tokens_evaluated"), answer.GetProperty("truncated").GetBoolean()), Is.EqualTo((own.Usage.PromptTokens, false)));
    }

    // A file that has the text of a token of infilling does not change what is asked.
    [Test]
    public async Task What_a_client_sends_is_text()
    {
        const string Text = "# <mask_1><|endoftext|><sep>\nx = ";
        JsonElement answer = await Server.PostAsync("/infill",
            """{"input_prefix": "# <mask_1><|endoftext|><sep>\nx = ", "input_suffix": "", "n_predict": 4, "temperature": 0}""");
        GenerationOutput own = Generator.InfillSequences(new InfillRequest(Text, ""), new GenerationOptions { MaxNewTokens = 4 });
        Assert.That((Content(answer), Count(answer, "tokens_evaluated")), Is.EqualTo((own.Sequences[0].Text, own.Usage.PromptTokens)));
        Assert.That(Count(answer, "tokens_evaluated"), Is.GreaterThan(Generator.Encode("<mask_1><|endoftext|><sep>x = ").Length + 4));
    }

    [Test]
    public async Task What_there_is_no_room_for_is_left_out()
    {
        string prefix = string.Concat(Enumerable.Range(0, 300).Select(i => $"v{i} = {i}\\n"));
        JsonElement answer = await Server.PostAsync("/infill",
            $$"""{"input_prefix": "{{prefix}}", "input_suffix": "\n", "n_predict": 128, "temperature": 0}""");
        Assert.That((Count(answer, "tokens_evaluated"), answer.GetProperty("truncated").GetBoolean()), Is.EqualTo((512 - 128, true)));
    }

    // The body of llama.vim, field by field. It reads only {…"content":"…" on one line.
    [TestCase("", Description = "the current version")]
    [TestCase(", \"n_cmpl\": 3", Description = "newer ones, and llama.vscode")]
    public async Task Llama_vim_reads_the_answer(string more)
    {
        string raw = await Server.PostRawAsync("/infill", $$"""
            {"id_slot": 0, "input_prefix": "def add(a, b):\n", "input_suffix": "\nprint(add(1, 2))\n",
             "input_extra": [{"text": "x = 1\n", "time": [1, 2], "filename": "a.py"}],
             "prompt": "    return ", "n_predict": 16, "stop": [], "n_indent": 4, "top_k": 40, "top_p": 0.90, "samplers": ["top_k", "top_p", "infill"],
             "stream": false, "cache_prompt": true, "t_max_prompt_ms": 500, "t_max_predict_ms": 1000, "response_fields": ["content", "timings/prompt_n",
             "timings/prompt_ms", "timings/prompt_per_token_ms", "timings/prompt_per_second", "timings/predicted_n", "timings/predicted_ms",
             "timings/predicted_per_token_ms", "timings/predicted_per_second", "truncated", "tokens_cached"], "model": ""{{more}}}
            """);
        Assert.That(raw, Does.Match(more.Length == 0 ? """^\s*\{""" : """^\s*\[""").And.Match("""
            "content"\s*:"
            """.Trim()).And.Not.Contain("\n"));
        JsonElement first = more.Length == 0 ? JsonElement.Parse(raw) : JsonElement.Parse(raw)[0];
        Assert.That(first.EnumerateObject().Select(one => one.Name), Is.EqualTo(new[]
        {
            "content", "timings/prompt_n", "timings/prompt_ms", "timings/prompt_per_token_ms", "timings/prompt_per_second", "timings/predicted_n",
            "timings/predicted_ms", "timings/predicted_per_token_ms", "timings/predicted_per_second", "truncated", "tokens_cached",
        }));
        Assert.That(first.EnumerateObject().Where(one => one.Name.StartsWith("timings/", StringComparison.Ordinal)).Select(one => one.Value.ValueKind),
            Has.All.EqualTo(JsonValueKind.Number));
    }

    // Before it asks in earnest; then it reads the counts, and the context of the settings.
    [Test]
    public async Task Llama_vscode_prepares_the_cache()
    {
        JsonElement answer = await Server.PostAsync("/infill", """
            {"id_slot": 0, "input_prefix": "", "input_suffix": "", "input_extra": [{"filename": "a.py", "text": "x = 1\n"}], "prompt": "", "n_predict": 0,
             "samplers": [], "cache_prompt": true, "t_max_prompt_ms": 500, "t_max_predict_ms": 1}
            """);
        Assert.That((Content(answer), Count(answer, "tokens_predicted"), Count(answer.GetProperty("generation_settings"), "n_ctx")), Is.EqualTo(("", 0, 512)));
        Assert.That(Count(answer, "tokens_cached"), Is.EqualTo(Count(answer, "tokens_evaluated")).And.GreaterThan(4));
    }

    [TestCase("""{"model": "llama-no-masks", "input_prefix": "a", "input_suffix": "b"}""")]
    [TestCase("""{"model": "llama-no-masks", "input_prefix": 5, "no_field": 1}""", Description = "before anything else")]
    public async Task A_model_that_cannot_infill_says_so(string body)
    {
        (HttpStatusCode status, JsonElement error) = await Server.ErrorAsync("/infill", body);
        Assert.That((status, error.GetProperty("type").GetString()), Is.EqualTo((HttpStatusCode.NotImplemented, "not_supported_error")));
        Assert.That(error.GetProperty("message").GetString(), Is.EqualTo(
            "Infill is not supported by this model: prefix token is missing. suffix token is missing. middle token is missing. "));
    }

    [Test]
    public void The_sampler_merges_what_begins_alike_and_ends_where_that_is_likely()
    {
        int[] words = Beginnings(), rest = [.. Enumerable.Range(0, 300).Where(id => IsWord(id))];
        int end = Generator.Tokenizer.SpecialTokens.EosTokenId!.Value, other = rest.First(id => !Begins(id, words[0]) && !Begins(words[0], id));
        int[] Left(params (int Token, double P)[] probabilities)
        {
            float[] scores = new float[8192];
            scores.AsSpan().Fill(float.NegativeInfinity);
            foreach ((int token, double p) in probabilities)
                scores[token] = (float)Math.Log(p);
            new InfillSampler([end], Generator.Tokenizer).Process([1], scores);
            return [.. Enumerable.Range(0, scores.Length).Where(token => float.IsFinite(scores[token]))];
        }
        // hel 0.5, hell 0.2, hello 0.1 count as 0.8; 0.2 alone is below 1 / 3 of what is left.
        Assert.That(Left((words[0], 0.5), (words[1], 0.2), (words[2], 0.1), (other, 0.2)), Is.EqualTo(new[] { words[0] }));
        Assert.That(Left((words[0], 0.1), (words[1], 0.15), (words[2], 0.35), (other, 0.4)), Is.EquivalentTo(new[] { words[2], other }));
        Assert.That(Left((words[0], 0.5), (other, 0.39), (end, 0.11)), Is.EqualTo(new[] { end }), "3 · 0.11 · 3 tokens is above 0.89");
        Assert.That(Left((words[0], 0.6), (other, 0.395), (end, 0.005)), Is.EquivalentTo(new[] { words[0], other, end }));
        Assert.That(Left([.. rest.Take(10).Select(id => (id, 0.1))]), Is.EqualTo(new[] { end }), "nothing is likely");
    }

    private int[] Beginnings()
    {
        string[] names = [.. Enumerable.Range(0, 8000).Select(id => Generator.Tokenizer.IdToToken(id) ?? "")];
        foreach (int a in Enumerable.Range(0, names.Length).Where(id => IsWord(id) && names[id].Length == 3))
        {
            foreach (int b in Enumerable.Range(0, names.Length).Where(id => Begins(a, id)))
            {
                int c = Array.FindIndex(names, name => name.Length > names[b].Length && name.StartsWith(names[b], StringComparison.Ordinal));
                if (c >= 0)
                    return [a, b, c];
            }
        }
        throw new InvalidOperationException("The vocabulary has no such words.");
    }

    private bool Begins(int shorter, int longer)
    {
        string a = Generator.Tokenizer.IdToToken(shorter) ?? "", b = Generator.Tokenizer.IdToToken(longer) ?? "";
        return a.Length < b.Length && b.StartsWith(a, StringComparison.Ordinal);
    }

    private bool IsWord(int id) => Generator.Tokenizer.IdToToken(id) is { Length: > 0 } name && name.All(char.IsAsciiLetterLower);
}
