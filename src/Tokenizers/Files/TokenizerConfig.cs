using System.Text.Json;

namespace ManagedTransformers.Tokenizers;

/// <summary>A special token as a file names it.</summary>
/// <param name="Token">The token; its id is not known here.</param>
/// <param name="PropertiesSaid">Whether the file gives its properties (an object), or only its text (a string).</param>
internal readonly record struct NamedToken(AddedToken Token, bool PropertiesSaid);

/// <summary>What tokenizer_config.json, special_tokens_map.json and config.json say; null where they say nothing.</summary>
internal sealed record TokenizerConfig
{
    public static readonly TokenizerConfig Empty = new();

    /// <summary>The roles of special tokens, as the files call them.</summary>
    public static readonly string[] Roles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    public string? TokenizerClass { get; init; }
    public string? ModelType { get; init; }

    /// <summary>The class that is meant; null where nothing says it.</summary>
    public TokenizerClass? Class { get; init; }

    /// <summary>Whether the class's special tokens get ids of their own where neither vocabulary nor files have them, as its vocabulary never does.</summary>
    public bool AddsClassTokens { get; init; }

    public int? ModelMaxLength { get; init; }
    public bool? AddPrefixSpace { get; init; }
    public bool? AddBosToken { get; init; }
    public bool? AddEosToken { get; init; }

    /// <summary>Llama's: false where only the very beginning of a text gets a space.</summary>
    public bool? Legacy { get; init; }

    /// <summary>The options in sp_model_kwargs.</summary>
    public IReadOnlyList<string> SentencePieceOptions { get; init; } = [];

    public bool CleanUpTokenizationSpaces { get; init; }
    public bool? DoLowerCase { get; init; }
    public bool? StripAccents { get; init; }
    public bool? TokenizeChineseChars { get; init; }

    /// <summary>Special tokens by role; a role that is null here has no token, one that is missing has the one of the class.</summary>
    public IReadOnlyDictionary<string, NamedToken?> Special { get; init; } = new Dictionary<string, NamedToken?>();

    public IReadOnlyList<AddedToken> AdditionalSpecial { get; init; } = [];

    /// <summary>added_tokens_decoder, by id.</summary>
    public IReadOnlyList<AddedToken> Added { get; init; } = [];

    /// <summary>Reads the three files, as far as there are any.</summary>
    public static TokenizerConfig Read(TokenizerFiles files)
    {
        TokenizerConfig read = files.Has(TokenizerFiles.TokenizerConfigJson) ? ReadConfig(files.Json(TokenizerFiles.TokenizerConfigJson)) : Empty;

        // As transformers: the map is older than added_tokens_decoder, and is not asked where there is one.
        if (files.Has(TokenizerFiles.SpecialTokensMapJson) && read.Added.Count == 0)
        {
            JsonPart map = files.Json(TokenizerFiles.SpecialTokensMapJson);
            var special = new Dictionary<string, NamedToken?>(read.Special);
            foreach ((string role, NamedToken? token) in ReadSpecial(map)) special[role] = token;
            List<AddedToken> additional = ReadAdditional(map);
            read = read with { Special = special, AdditionalSpecial = additional.Count > 0 ? additional : read.AdditionalSpecial };
        }
        if (!files.Has(TokenizerFiles.ConfigJson)) return read;
        JsonPart model = files.Json(TokenizerFiles.ConfigJson);
        return read with
        {
            ModelType = model.Find("model_type")?.String(),
            TokenizerClass = read.TokenizerClass ?? model.Find("tokenizer_class")?.String(),
        };
    }

    /// <summary>A token: a string, or an object with the properties of AddedToken.</summary>
    public static AddedToken ReadToken(JsonPart part, bool special, int id = -1)
    {
        if (part.Element.ValueKind == JsonValueKind.String) return new AddedToken(id, part.String()) { Special = special, Normalized = !special };
        bool isSpecial = part.Find("special").Or(special);
        return new AddedToken(id, part.Get("content").String())
        {
            Special = isSpecial,
            Normalized = part.Find("normalized").Or(!isSpecial),
            LStrip = part.Find("lstrip").Or(false),
            RStrip = part.Find("rstrip").Or(false),
            SingleWord = part.Find("single_word").Or(false),
        };
    }

    private static TokenizerConfig ReadConfig(JsonPart json)
    {
        return new TokenizerConfig
        {
            TokenizerClass = json.Find("tokenizer_class")?.String(),
            ModelMaxLength = ReadMaxLength(json.Find("model_max_length") ?? json.Find("max_len")),       // max_len: files of 2020 and before
            AddPrefixSpace = json.Find("add_prefix_space")?.Bool(),
            AddBosToken = json.Find("add_bos_token")?.Bool(),
            AddEosToken = json.Find("add_eos_token")?.Bool(),
            Legacy = json.Find("legacy")?.Bool(),
            SentencePieceOptions = json.Find("sp_model_kwargs") is JsonPart options ? [.. options.Entries().Select(entry => entry.Key)] : [],
            CleanUpTokenizationSpaces = json.Find("clean_up_tokenization_spaces").Or(false),
            DoLowerCase = json.Find("do_lower_case")?.Bool(),
            StripAccents = json.Find("strip_accents")?.Bool(),
            TokenizeChineseChars = json.Find("tokenize_chinese_chars")?.Bool(),
            Special = ReadSpecial(json),
            AdditionalSpecial = ReadAdditional(json),
            Added = ReadAddedTokensDecoder(json),
        };
    }

    // transformers writes int(1e30) where there is no limit.
    private static int? ReadMaxLength(JsonPart? part)
    {
        if (part is not JsonPart json) return null;
        double length = json.Number();
        if (length < 1) throw json.Unexpected("a number of tokens, 1 or more");
        return length > int.MaxValue ? null : (int)length;
    }

    private static Dictionary<string, NamedToken?> ReadSpecial(JsonPart json)
    {
        var special = new Dictionary<string, NamedToken?>();
        foreach (string role in Roles)
        {
            if (json.Find(role) is JsonPart token)
                special[role] = new NamedToken(ReadToken(token, special: true) with { Special = true }, token.Element.ValueKind == JsonValueKind.Object);
            else if (json.Element.TryGetProperty(role, out _))
                special[role] = null;
        }
        return special;
    }

    private static List<AddedToken> ReadAdditional(JsonPart json) =>
        json.Find("additional_special_tokens") is JsonPart list ? [.. list.Items().Select(t => ReadToken(t, special: true) with { Special = true })] : [];

    private static List<AddedToken> ReadAddedTokensDecoder(JsonPart json)
    {
        if (json.Find("added_tokens_decoder") is not JsonPart decoder) return [];
        var tokens = new List<AddedToken>();
        foreach ((string key, JsonPart value) in decoder.Entries())
        {
            if (!int.TryParse(key, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int id))
                throw new TokenizerException($"{decoder.Path} has the key {Vocabulary.Show(key)}; its keys must be token ids.");
            tokens.Add(ReadToken(value, special: false, id));
        }
        return [.. tokens.OrderBy(t => t.Id)];
    }
}
