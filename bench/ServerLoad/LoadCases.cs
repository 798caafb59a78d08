using System.Text.Json;
using System.Text.Json.Nodes;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Bench;

/// <summary>Requests of all protocols and sizes, with the answers that the pipelines give in this process.</summary>
internal sealed class LoadCases : IDisposable
{
    private readonly Random _random;
    private static readonly string[] s_special = ["<|endoftext|>", "<mask_1>", "<sep>", "<eom>"];
    private readonly TextGenerator _generator;
    private readonly SentenceEmbeddingPipeline _embedder;
    private readonly FillMaskPipeline _masks;
    private readonly TextClassificationPipeline _languages;
    private readonly TokenClassificationPipeline _tags;
    private readonly RerankPipeline _reranker;

    private LoadCases(LoadModels models, int seed)
    {
        _random = new Random(seed);
        _generator = TextGenerator.Load(models["demo-codegen"]);
        _embedder = SentenceEmbeddingPipeline.Load(models["demo-embed"]);
        _masks = FillMaskPipeline.Load(models["demo-fill-mask"]);
        _languages = TextClassificationPipeline.Load(models["demo-language-id"]);
        _tags = TokenClassificationPipeline.Load(models["demo-tag"]);
        _reranker = RerankPipeline.Load(models[LoadModels.Reranker]);
    }

    /// <summary>Some cases, of all kinds in turn.</summary>
    public static LoadCase[] Make(LoadModels models, int seed, int count)
    {
        using var cases = new LoadCases(models, seed);
        Func<LoadCase>[] kinds =
        [
            cases.Completion, cases.CompletionStream, cases.Choices, cases.Prompts, cases.Suffix, cases.Llama, cases.LlamaStream, cases.LlamaPrompts,
            cases.Infill, cases.HubText, cases.HubStream, cases.Embeddings, cases.Base64, cases.Embed, cases.LlamaEmbedding, cases.Similarity,
            cases.Predict, cases.Classify, cases.FillMask, cases.Tag, cases.Rerank, cases.CohereRerank, cases.Tokenize, cases.TokenizeInputs,
            cases.Detokenize, cases.Decode,
        ];
        return [.. Enumerable.Range(0, count).Select(i => kinds[i % kinds.Length]())];
    }

    public void Dispose()
    {
        foreach (Pipeline one in (Pipeline[])[_generator, _embedder, _masks, _languages, _tags, _reranker])
            one.Dispose();
    }

    private LoadCase Completion()
    {
        (string prompt, int most) = (LoadTexts.Some(_random, 30), Length());
        string route = Any("/v1/completions", "/v1/engines/any/completions", "/models/demo-codegen/v1/completions");
        var body = new JsonObject { ["prompt"] = _random.Next(2) == 0 ? prompt : Array(_generator.Encode(prompt)), ["max_tokens"] = most, ["temperature"] = 0 };
        string text = Greedy(prompt, most);
        if (_random.Next(3) == 0)
        {
            body["stop"] = "\n";
            text = text.Split('\n')[0];
        }
        return LoadCase.OfTexts(route, body, [text], ChoicesOf);
    }

    private LoadCase CompletionStream()
    {
        (string prompt, int most) = (LoadTexts.Some(_random, 30), Length());
        var body = new JsonObject
        {
            ["model"] = "demo-codegen", ["prompt"] = prompt, ["max_tokens"] = most, ["temperature"] = 0, ["stream"] = true,
            ["stream_options"] = new JsonObject { ["include_usage"] = true },
        };
        return LoadCase.OfStream("/v1/completions", body, Greedy(prompt, most), one => string.Concat(ChoicesOf(one)));
    }

    private LoadCase Choices()
    {
        (string prompt, int most, int n, int seed) = (LoadTexts.Some(_random, 10), Length(), _random.Next(2, 6), _random.Next(1000));
        var options = new GenerationOptions
        {
            DoSample = true, Temperature = 0.8, TopK = 0, TopP = 0.9, Seed = seed, NumReturnSequences = n, MaxNewTokens = most,
        };
        var body = new JsonObject { ["prompt"] = prompt, ["max_tokens"] = most, ["temperature"] = 0.8, ["top_p"] = 0.9, ["seed"] = seed, ["n"] = n };
        string[] texts = [.. _generator.GenerateSequences([prompt], options).Sequences.Select(one => Plain(one.Text))];
        return LoadCase.OfTexts("/v1/completions", body, texts, ChoicesOf);
    }

    private LoadCase Prompts()
    {
        int most = Length();
        string[] prompts = LoadTexts.Several(_random, 40, 4);
        var body = new JsonObject { ["prompt"] = Array(prompts), ["max_tokens"] = most, ["temperature"] = 0 };
        return LoadCase.OfTexts("/v1/completions", body, [.. prompts.Select(prompt => Greedy(prompt, most))], ChoicesOf);
    }

    private LoadCase Suffix()
    {
        (string prefix, string suffix, int most) = (LoadTexts.Some(_random, 8), LoadTexts.Some(_random, 8), Length());
        var body = new JsonObject { ["prompt"] = prefix, ["suffix"] = suffix, ["max_tokens"] = most, ["temperature"] = 0 };
        return LoadCase.OfTexts("/v1/completions", body, [Gap(prefix, suffix, most)], ChoicesOf);
    }

    private LoadCase Llama()
    {
        (string prompt, int most) = (LoadTexts.Some(_random, 30), Length());
        var body = new JsonObject
        {
            ["prompt"] = prompt, ["n_predict"] = most, ["temperature"] = 0, ["n_probs"] = _random.Next(3), ["cache_prompt"] = _random.Next(4) > 0,
        };
        return LoadCase.OfTexts(Any("/completion", "/completions"), body, [Greedy(prompt, most)], one => [ContentOf(one)]);
    }

    private LoadCase LlamaStream()
    {
        (string prompt, int most) = (LoadTexts.Some(_random, 30), Length());
        var body = new JsonObject { ["prompt"] = prompt, ["n_predict"] = most, ["temperature"] = 0, ["stream"] = true };
        return LoadCase.OfStream("/completion", body, Greedy(prompt, most), ContentOf);
    }

    private LoadCase LlamaPrompts()
    {
        int most = Length();
        string[] prompts = [LoadTexts.Some(_random, 5), .. LoadTexts.Several(_random, 20, 4)];
        var body = new JsonObject { ["prompt"] = Array(prompts), ["n_predict"] = most, ["temperature"] = 0 };
        return LoadCase.OfTexts("/completion", body, [.. prompts.Select(prompt => Greedy(prompt, most))], all => all.EnumerateArray().Select(ContentOf));
    }

    private LoadCase Infill()
    {
        (string prefix, string suffix, int most) = (LoadTexts.Some(_random, 8), LoadTexts.Some(_random, 8), Length());
        bool stream = _random.Next(2) == 0;
        var body = new JsonObject
        {
            ["input_prefix"] = prefix, ["input_suffix"] = suffix, ["n_predict"] = most, ["temperature"] = 0, ["stream"] = stream,
        };
        string text = Gap(prefix, suffix, most);
        return stream ? LoadCase.OfStream("/infill", body, text, ContentOf)
            : LoadCase.OfTexts("/infill", body, [text], one => [ContentOf(one)]);
    }

    private LoadCase HubText()
    {
        (string prompt, int most) = (LoadTexts.Some(_random, 20), Length());
        var parameters = new JsonObject { ["max_new_tokens"] = most, ["return_full_text"] = false, ["details"] = _random.Next(2) == 0 };
        return LoadCase.OfTexts("/models/demo-codegen", new JsonObject { ["inputs"] = prompt, ["parameters"] = parameters }, [Greedy(prompt, most)],
            all => [all[0].GetProperty("generated_text").GetString()!]);
    }

    private LoadCase HubStream()
    {
        (string prompt, int most) = (LoadTexts.Some(_random, 20), Length());
        var body = new JsonObject { ["inputs"] = prompt, ["parameters"] = new JsonObject { ["max_new_tokens"] = most }, ["stream"] = true };
        return LoadCase.OfStream("/models/demo-codegen", body, prompt + Greedy(prompt, most), one => one.GetProperty("generated_text").GetString() ?? "");
    }

    private LoadCase Embeddings()
    {
        string[] texts = LoadTexts.Several(_random, 64, 12);
        return LoadCase.OfVectors(Any("/v1/embeddings", "/embeddings"), new JsonObject { ["input"] = Array(texts) }, Vectors(texts),
            all => all.GetProperty("data").EnumerateArray().Select(one => LoadCase.Numbers(one.GetProperty("embedding"))));
    }

    private LoadCase Base64()
    {
        string[] texts = LoadTexts.Several(_random, 64, 12);
        return LoadCase.OfVectors("/v1/embeddings", new JsonObject { ["input"] = Array(texts), ["encoding_format"] = "base64" }, Vectors(texts),
            all => all.GetProperty("data").EnumerateArray().Select(one => FloatsOf(one.GetProperty("embedding").GetBytesFromBase64())));
    }

    private LoadCase Embed()
    {
        string[] texts = LoadTexts.Several(_random, 64, 12);
        return LoadCase.OfVectors(Any("/embed", "/models/demo-embed"), new JsonObject { ["inputs"] = Array(texts) }, Vectors(texts),
            all => all.EnumerateArray().Select(LoadCase.Numbers));
    }

    private LoadCase LlamaEmbedding()
    {
        string[] texts = LoadTexts.Several(_random, 16, 12);
        return LoadCase.OfVectors("/embedding", new JsonObject { ["content"] = Array(texts) }, Vectors(texts),
            all => all.EnumerateArray().Select(one => LoadCase.Numbers(one.GetProperty("embedding")[0])));
    }

    private LoadCase Similarity()
    {
        string[] texts = [LoadTexts.Some(_random, 8), .. LoadTexts.Several(_random, 8, 8)];
        float[][] vectors = Vectors(texts);
        float[] cosines = [.. vectors.Skip(1).Select(one => (float)_embedder.Similarity(vectors[0], one))];
        var inputs = new JsonObject { ["source_sentence"] = texts[0], ["sentences"] = Array(texts[1..]) };
        return LoadCase.OfVectors(Any("/similarity", "/"), new JsonObject { ["inputs"] = inputs }, [cosines], all => [LoadCase.Numbers(all)]);
    }

    private LoadCase Predict()
    {
        string text = LoadTexts.Some(_random, 12);
        return LoadCase.OfScores("/predict", new JsonObject { ["inputs"] = text, ["model"] = "demo-language-id" }, Languages(text), LabelsOf);
    }

    private LoadCase Classify()
    {
        string text = LoadTexts.Some(_random, 12);
        return LoadCase.OfScores("/models/demo-language-id", new JsonObject { ["inputs"] = text }, Languages(text), all => LabelsOf(all[0]));
    }

    private LoadCase FillMask()
    {
        string text = LoadTexts.Some(_random, 6) + "<mask>" + LoadTexts.Some(_random, 6);
        return LoadCase.OfScores("/models/demo-fill-mask", new JsonObject { ["inputs"] = text },
            _masks.Predict(text).Select(one => ($"{one.TokenId} {one.TokenText} {one.Sequence}", one.Score)),
            all => all.EnumerateArray().Select(one =>
                ($"{one.GetProperty("token")} {one.GetProperty("token_str")} {one.GetProperty("sequence")}", one.GetProperty("score").GetSingle())));
    }

    private LoadCase Tag()
    {
        string text = LoadTexts.Some(_random, 12);
        return LoadCase.OfScores("/models/demo-tag", new JsonObject { ["inputs"] = text },
            _tags.Tag(text).Select(one => ($"{one.CodePointStart} {one.CodePointEnd} {one.Label} {one.Text}", one.Score)),
            all => all.EnumerateArray().Select(one => ($"{one.GetProperty("start")} {one.GetProperty("end")} {one.GetProperty("entity_group")} " +
                one.GetProperty("word"), one.GetProperty("score").GetSingle())));
    }

    private LoadCase Rerank()
    {
        (string query, string[] texts) = (LoadTexts.Some(_random, 6), LoadTexts.Several(_random, 24, 8));
        return LoadCase.OfScores("/rerank", new JsonObject { ["query"] = query, ["texts"] = Array(texts) }, Ranks(query, texts),
            all => all.EnumerateArray().Select(one => ($"{one.GetProperty("index")}", one.GetProperty("score").GetSingle())));
    }

    private LoadCase CohereRerank()
    {
        (string query, string[] texts) = (LoadTexts.Some(_random, 6), LoadTexts.Several(_random, 24, 8));
        var body = new JsonObject { ["query"] = query, ["documents"] = Array(texts) };
        return LoadCase.OfScores(Any("/v1/rerank", "/v2/rerank", "/rerank"), body, Ranks(query, texts),
            all => all.GetProperty("results").EnumerateArray().Select(one => ($"{one.GetProperty("index")}", one.GetProperty("relevance_score").GetSingle())));
    }

    private LoadCase Tokenize()
    {
        string text = LoadTexts.Some(_random, 200);
        return LoadCase.OfTexts("/tokenize", new JsonObject { ["content"] = text },
            [.. _generator.Tokenizer.EncodeToIds(text, pair: null, EncodeOptions.Plain).Select(id => $"{id}")],
            all => all.GetProperty("tokens").EnumerateArray().Select(one => one.GetRawText()));
    }

    private LoadCase TokenizeInputs()
    {
        string text = LoadTexts.Some(_random, 100);
        return LoadCase.OfTexts("/tokenize", new JsonObject { ["inputs"] = text, ["model"] = "demo-embed", ["add_special_tokens"] = false },
            [.. _embedder.Tokenizer.EncodeToIds(text, pair: null, EncodeOptions.Plain).Select(id => $"{id}")],
            all => all[0].EnumerateArray().Select(one => one.GetProperty("id").GetRawText()));
    }

    private LoadCase Detokenize()
    {
        int[] ids = _generator.Encode(LoadTexts.Some(_random, 200));
        return LoadCase.OfTexts("/detokenize", new JsonObject { ["tokens"] = Array(ids) }, [_generator.Tokenizer.Decode(ids)], one => [ContentOf(one)]);
    }

    private LoadCase Decode()
    {
        int[] ids = _embedder.Tokenizer.EncodeToIds(LoadTexts.Some(_random, 100), pair: null, EncodeOptions.Plain);
        string text = _embedder.Tokenizer.Decode(ids, new DecodeOptions { SkipSpecialTokens = true });
        return LoadCase.OfTexts("/decode", new JsonObject { ["ids"] = Array(ids), ["model"] = "demo-embed" }, [text], all => [all[0].GetString()!]);
    }

    // Mostly short, as editors ask; seldom long.
    private int Length() => 1 + (int)(63 * Math.Pow(_random.NextDouble(), 2));

    private string Any(params string[] routes) => routes[_random.Next(routes.Length)];

    private string Greedy(string prompt, int most) =>
        Plain(_generator.Generate(prompt, new GenerationOptions { DoSample = false, MaxNewTokens = most }));

    private string Gap(string prefix, string suffix, int most) =>
        Plain(_generator.InfillSequences(new InfillRequest(prefix, suffix), new GenerationOptions { DoSample = false, MaxNewTokens = most }).Sequences[0].Text);

    // The server's texts are without the special tokens that the model writes.
    private static string Plain(string text) => s_special.Aggregate(text, (all, token) => all.Replace(token, "", StringComparison.Ordinal));

    private float[][] Vectors(string[] texts) => [.. texts.Select(text => _embedder.Embed(text))];

    private IEnumerable<(string Name, float Score)> Languages(string text) => _languages.Classify(text).Select(one => (one.Label, one.Score));

    private IEnumerable<(string Name, float Score)> Ranks(string query, string[] texts) =>
        _reranker.Rank(query, texts).Select(one => ($"{one.Index}", one.Score));

    private static IEnumerable<string> ChoicesOf(JsonElement answer) => answer.GetProperty("choices").EnumerateArray()
        .OrderBy(one => one.GetProperty("index").GetInt32()).Select(one => one.GetProperty("text").GetString()!);

    private static string ContentOf(JsonElement answer) => answer.GetProperty("content").GetString()!;

    private static IEnumerable<(string Name, float Score)> LabelsOf(JsonElement labels) =>
        labels.EnumerateArray().Select(one => (one.GetProperty("label").GetString()!, one.GetProperty("score").GetSingle()));

    private static float[] FloatsOf(byte[] bytes) => [.. bytes.Chunk(sizeof(float)).Select(one => BitConverter.ToSingle(one))];

    private static JsonArray Array<T>(IEnumerable<T> all) => [.. all.Select(one => JsonValue.Create(one))];
}
