namespace ManagedTransformers;

/// <summary>The tokens with which a kind of model was trained to infill, and how they stand around the texts.</summary>
/// <param name="Model">Who was trained so, for messages.</param>
/// <param name="Before">Stands before the first text; null: nothing does.</param>
/// <param name="Gap">Stands for the gap, between two texts. With <c>{0}</c>: each gap has its own, by number.</param>
/// <param name="After">Stand after the last text; what follows is the text of the gap.</param>
/// <param name="Ends">End the text of a gap; those that the tokenizer has.</param>
/// <remarks>Order: Bavarian et al. 2022, arXiv:2207.14255 ("PSM": prefix, suffix, middle).</remarks>
internal sealed record InfillTokens(string Model, string? Before, string Gap, string[] After, string[] Ends)
{
    /// <summary>Before the repository's name; null: there is no such token.</summary>
    public string? Repository { get; init; }

    /// <summary>Before the path of a file; null: there is no such token, and files are text.</summary>
    public string? File { get; init; }

    /// <summary>Stands after the repository's name and after each file.</summary>
    public string Separator { get; init; } = "";

    /// <summary>Does <see cref="File"/> of the file with the gap stand after <see cref="Before"/>?</summary>
    public bool FileIsInside { get; init; }

    /// <summary>Does the path of the file with the gap stand after <see cref="Before"/>?</summary>
    public bool PathIsInside { get; init; }

    /// <summary>Is the text after the gap read as it is, where a tokenizer puts a space before texts?</summary>
    public bool SuffixGoesOn { get; init; }

    /// <summary>Tokens without which it is another kind of model.</summary>
    public string[] AlsoNeeded { get; init; } = [];

    /// <summary>The model_type of the models that were trained so; it decides where a tokenizer has the tokens of several kinds.</summary>
    public required string ModelType { get; init; }

    /// <summary>All kinds.</summary>
    public static InfillTokens[] All { get; } =
    [
        // Nijkamp et al. 2023, arXiv:2305.02309, 3.3, and the README of salesforce/CodeGen2.
        new("CodeGen2", null, "<mask_{0}>", ["<|endoftext|>", "<sep>", "<mask_1>"], ["<eom>"]) { ModelType = "codegen", AlsoNeeded = ["<eom>"] },

        // Hui et al. 2024, arXiv:2409.12186, 3.2, and examples/Qwen2.5-Coder-repolevel-fim.py of QwenLM/Qwen2.5-Coder.
        // CodeGemma's tokens are the same, but for those of files.
        new("Qwen2.5-Coder", "<|fim_prefix|>", "<|fim_suffix|>", ["<|fim_middle|>"],
            ["<|endoftext|>", "<|fim_pad|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|repo_name|>", "<|file_sep|>", "<|im_end|>",
            "<|file_separator|>"])
        {
            ModelType = "qwen2", Repository = "<|repo_name|>", File = "<|file_sep|>", Separator = "\n",
        },

        // Lozhkov et al. 2024, arXiv:2402.19173, 5.1.
        new("StarCoder2", "<fim_prefix>", "<fim_suffix>", ["<fim_middle>"],
            ["<|endoftext|>", "<fim_pad>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<repo_name>", "<file_sep>"])
        {
            ModelType = "starcoder2", Repository = "<repo_name>", File = "<file_sep>", PathIsInside = true, AlsoNeeded = ["<file_sep>"],
        },

        // Li et al. 2023, arXiv:2305.06161, 3.1 and 5.1: a document with its names was cut as a whole, so they stand within.
        new("StarCoder", "<fim_prefix>", "<fim_suffix>", ["<fim_middle>"],
            ["<|endoftext|>", "<fim_pad>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<reponame>", "<filename>"])
        {
            ModelType = "gpt_bigcode", Repository = "<reponame>", File = "<filename>", FileIsInside = true, PathIsInside = true,
        },

        // Ben Allal et al. 2023, arXiv:2301.03988.
        new("SantaCoder", "<fim-prefix>", "<fim-suffix>", ["<fim-middle>"], ["<|endoftext|>", "<fim-pad>", "<fim-prefix>", "<fim-suffix>", "<fim-middle>"])
        {
            ModelType = "gpt_bigcode",
        },

        // Guo et al. 2024, arXiv:2401.14196, 3.1. The bars are U+FF5C, the low lines U+2581.
        new("DeepSeek-Coder", "<｜fim▁begin｜>", "<｜fim▁hole｜>", ["<｜fim▁end｜>"],
            ["<｜end▁of▁sentence｜>", "<|EOT|>", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"])
        {
            ModelType = "llama",
        },

        // Rozière et al. 2023, arXiv:2308.12950, 2.3; infilling_prompt_tokens of meta-llama/codellama, CodeLlamaTokenizer of transformers.
        new("CodeLlama", "▁<PRE>", "▁<SUF>", ["▁<MID>"], ["▁<EOT>", "▁<PRE>", "▁<SUF>", "▁<MID>"])
        {
            ModelType = "llama", SuffixGoesOn = true,
        },
    ];

    /// <summary>The kind whose tokens a tokenizer has.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="modelType">The model's; null: it is not known.</param>
    /// <exception cref="ConfigException">It has those of none; or of several, and the model_type does not decide between them.</exception>
    public static InfillTokens Of(Tokenizer tokenizer, string? modelType)
    {
        InfillTokens[] kinds = [.. All.Where(kind => kind.Needed.All(Has))];
        // StarCoder2 has all of StarCoder's that stand around texts: a kind counts where the tokenizer has a token of its alone.
        kinds = [.. kinds.Where(kind => !kinds.Any(other => other != kind && kind.Marks.Where(Has).All(other.Marks.Contains)))];
        InfillTokens[] ofType = [.. kinds.Where(kind => kind.ModelType == modelType)];
        return ofType is [InfillTokens one] ? one
            : kinds is [InfillTokens only] ? only
            : throw (kinds.Length == 0 ? Unsupported() : Ambiguous(kinds, modelType));

        bool Has(string token) => tokenizer.TokenToId(token) is not null;
    }

    /// <summary>Has each gap a token of its own?</summary>
    public bool CountsGaps => GapToken(1) != GapToken(2);

    /// <summary>The tokens that mark one gap, without which there is no infilling.</summary>
    public string[] Needed => [.. Before is null ? [] : new[] { Before }, GapToken(1), .. After.Except([GapToken(1)]), .. AlsoNeeded.Except(After)];

    /// <summary>The token of a gap, from 1.</summary>
    public string GapToken(int gap) => string.Format(CultureInfo.InvariantCulture, Gap, gap);

    // What stands around texts and names.
    private IEnumerable<string> Marks => Needed.Concat(new[] { Repository, File }.OfType<string>());

    /// <summary>Is it one of these tokens, which no text of a user may become?</summary>
    public bool Has(string token) => Needed.Contains(token) || Ends.Contains(token) || token == Repository || token == File
        || (CountsGaps && token.StartsWith(Gap[..Gap.IndexOf('{', StringComparison.Ordinal)], StringComparison.Ordinal));

    private static ConfigException Unsupported() => new(
        "suffix/infilling is not supported by this model: its tokenizer has none of the token sets that mark a gap. Known are " +
        $"{Names(All)}. Load a model that was trained to infill, such as Qwen2.5-Coder, CodeGen2 or the demo model.");

    private static ConfigException Ambiguous(InfillTokens[] kinds, string? modelType) => new(
        $"The tokenizer has the tokens of {kinds.Length} ways to infill: {Names(kinds)}; " +
        $"{(modelType is null ? "no model_type decides" : $"model_type {modelType} does not decide")} between them. " +
        "Take those that the model was not trained with out of added_tokens in tokenizer.json.");

    private static string Names(InfillTokens[] kinds) => string.Join("; ", kinds.Select(kind => $"{kind.Model} ({string.Join(' ', kind.Needed)})"));
}
