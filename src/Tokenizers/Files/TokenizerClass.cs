using static ManagedTransformers.Tokenizers.TokenizerKind;

namespace ManagedTransformers.Tokenizers;

/// <summary>Which tokenizer a class of transformers is.</summary>
internal enum TokenizerKind
{
    /// <summary>What its tokenizer.json says; other files do not tell it.</summary>
    JsonOnly,

    /// <summary>BERT's: WordPiece of vocab.txt, <c>[CLS] A [SEP] B [SEP]</c>.</summary>
    Bert,

    /// <summary>RoBERTa's: byte-level BPE of vocab.json and merges.txt, <c>&lt;s&gt; A &lt;/s&gt;&lt;/s&gt; B &lt;/s&gt;</c>.</summary>
    Roberta,

    /// <summary>GPT-2's: byte-level BPE of vocab.json and merges.txt, nothing around a text.</summary>
    Gpt2,

    /// <summary>Qwen2's: byte-level BPE of vocab.json and merges.txt, NFC, split by a pattern of its own, nothing around a text.</summary>
    Qwen2,

    /// <summary>Llama's: a SentencePiece model, its ids as they are.</summary>
    Llama,

    /// <summary>XLM-RoBERTa's: a SentencePiece model with fairseq's special tokens in place of its first ones, and a mask.</summary>
    XlmRoberta,

    /// <summary>CamemBERT's: the same with special tokens that are not used before them.</summary>
    Camembert,
}

/// <summary>A tokenizer class of transformers that runs here: which tokenizer it is, and what it brings that the files need not say.</summary>
/// <param name="Name">Its name, without the Fast at the end.</param>
/// <param name="Kind">Which tokenizer it is.</param>
/// <param name="Defaults">Its special tokens by role, where the files name no others. The mask of a class that is LStrip here is so by whatever name.</param>
/// <param name="ModelTypes">Values of config.json's model_type that mean this class where no file names one.</param>
internal sealed record TokenizerClass(string Name, TokenizerKind Kind, IReadOnlyDictionary<string, AddedToken> Defaults, params string[] ModelTypes)
{
    private static readonly Dictionary<string, AddedToken> BertTokens = Tokens("[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]");

    private static readonly Dictionary<string, AddedToken> RobertaTokens =
        WithEnds("<s>", "</s>", Tokens("<unk>", "</s>", "<pad>", "<s>", "<mask>", maskLStrip: true));

    private static readonly Dictionary<string, AddedToken> MPNetTokens =
        WithEnds("<s>", "</s>", Tokens("[UNK]", "</s>", "<pad>", "<s>", "<mask>", maskLStrip: true));

    private static readonly Dictionary<string, AddedToken> Gpt2Tokens =
        WithEnds("<|endoftext|>", "<|endoftext|>", new() { ["unk_token"] = Special("<|endoftext|>") });

    private static readonly Dictionary<string, AddedToken> LlamaTokens = WithEnds("<s>", "</s>", new() { ["unk_token"] = Special("<unk>") });

    private static readonly Dictionary<string, AddedToken> Qwen2Tokens =
        new() { ["unk_token"] = Special("<|endoftext|>"), ["eos_token"] = Special("<|endoftext|>"), ["pad_token"] = Special("<|endoftext|>") };

    private static readonly Dictionary<string, AddedToken> NoTokens = [];

    /// <summary>All of them. Other classes of transformers are other tokenizers, whatever their files are called.</summary>
    private static readonly TokenizerClass[] All =
    [
        new("BertTokenizer", Bert, BertTokens, "bert"),
        new("ConvBertTokenizer", Bert, BertTokens, "convbert"),
        new("DistilBertTokenizer", Bert, BertTokens, "distilbert"),
        new("DPRContextEncoderTokenizer", Bert, BertTokens),
        new("DPRQuestionEncoderTokenizer", Bert, BertTokens),
        new("ElectraTokenizer", Bert, BertTokens, "electra"),
        new("LayoutLMTokenizer", Bert, BertTokens, "layoutlm"),
        new("LxmertTokenizer", Bert, BertTokens, "lxmert"),
        new("MobileBertTokenizer", Bert, BertTokens, "mobilebert"),
        new("RetriBertTokenizer", Bert, BertTokens, "retribert"),
        new("SqueezeBertTokenizer", Bert, BertTokens, "squeezebert"),

        new("RobertaTokenizer", Roberta, RobertaTokens, "roberta"),
        new("BartTokenizer", Roberta, RobertaTokens, "bart"),
        new("LEDTokenizer", Roberta, RobertaTokens, "led"),
        new("LongformerTokenizer", Roberta, RobertaTokens, "longformer"),
        new("MvpTokenizer", Roberta, RobertaTokens, "mvp"),

        new("GPT2Tokenizer", Gpt2, Gpt2Tokens, "gpt2", "gpt_bigcode", "gpt_neo", "gptj"),
        new("CodeGenTokenizer", Gpt2, Gpt2Tokens, "codegen"),
        new("Qwen2Tokenizer", Qwen2, Qwen2Tokens, "qwen2"),

        new("CamembertTokenizer", Camembert, RobertaTokens, "camembert"),
        new("CodeLlamaTokenizer", Llama, LlamaTokens),
        new("LlamaTokenizer", Llama, LlamaTokens, "llama"),
        new("XLMRobertaTokenizer", XlmRoberta, RobertaTokens, "xlm-roberta"),

        new("GPTNeoXTokenizer", JsonOnly, Gpt2Tokens, "gpt_neox"),
        new("MPNetTokenizer", JsonOnly, MPNetTokens, "mpnet"),
        new("PreTrainedTokenizer", JsonOnly, NoTokens),
        new("TokenizersBackend", JsonOnly, NoTokens),
    ];

    /// <summary>The class that the files name, else that of the kind of model; null where neither says anything, or the kind of model is not known.</summary>
    /// <exception cref="TokenizerException">The class, or the caller's kind of model, is not among them.</exception>
    public static TokenizerClass? Find(TokenizerConfig config, TokenizerLoadOptions options)
    {
        if (options.ModelType is string asked)
            return OfModelType(asked, options) ?? throw new TokenizerException(
                $"TokenizerLoadOptions.ModelType is \"{asked}\"; known are {string.Join(", ", All.SelectMany(one => one.ModelTypes).Order())}.");
        if (config.TokenizerClass is not string name) return config.ModelType is string type ? OfModelType(type, options) : null;
        string meant = options.ClassAliases.GetValueOrDefault(name) ?? options.ClassAliases.GetValueOrDefault(WithoutFast(name)) ?? name;
        string alias = meant == name ? "" : $" (ClassAliases: {meant})";
        return Named(meant) ?? throw new TokenizerException(
            $"tokenizer_class {name}{alias} of tokenizer_config.json or config.json is not among the tokenizers that run here; "
            + $"read as one of them, its ids would be wrong. They are {Names}, each with and without Fast. "
            + "If it is one of these under another name, say so in TokenizerLoadOptions.ClassAliases.");
    }

    /// <summary>What is wrong with saying that a class is a known one under another name, as the end of a sentence; null: nothing.</summary>
    public static string? AliasProblem(string name, string known) =>
        Named(name) is not null || Array.Exists(All, one => one.ModelTypes.Contains(name))
            ? $"{name} is a tokenizer that is known here already, and its checkpoints would be read as something else. Give the class another name."
            : Named(known) is null ? $"{known} is not among the tokenizers that run here: {Names}. Name one of them." : null;

    /// <summary>The first class of a kind, which gave it its name.</summary>
    public static TokenizerClass Of(TokenizerKind kind) => Array.Find(All, one => one.Kind == kind)!;

    private static TokenizerClass? OfModelType(string type, TokenizerLoadOptions options) =>
        options.ClassAliases.TryGetValue(type, out string? name) ? Named(name) : Array.Find(All, one => one.ModelTypes.Contains(type));

    private static string Names => string.Join(", ", All.Select(one => one.Name));

    private static TokenizerClass? Named(string name) => Array.Find(All, one => one.Name == WithoutFast(name));

    private static string WithoutFast(string name) => name.EndsWith("Fast", StringComparison.Ordinal) ? name[..^4] : name;

    private static AddedToken Special(string content) => new(-1, content) { Special = true };

    private static Dictionary<string, AddedToken> Tokens(string unk, string sep, string pad, string cls, string mask, bool maskLStrip = false) => new()
    {
        ["unk_token"] = Special(unk),
        ["sep_token"] = Special(sep),
        ["pad_token"] = Special(pad),
        ["cls_token"] = Special(cls),
        ["mask_token"] = Special(mask) with { LStrip = maskLStrip },
    };

    private static Dictionary<string, AddedToken> WithEnds(string bos, string eos, Dictionary<string, AddedToken> tokens) =>
        new(tokens) { ["bos_token"] = Special(bos), ["eos_token"] = Special(eos) };
}
