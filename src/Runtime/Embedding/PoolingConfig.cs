namespace ManagedTransformers;

/// <summary>What the config.json of a Pooling module says.</summary>
/// <param name="Modes">How tokens become one vector, several joined in this order.</param>
/// <param name="IncludePrompt">Whether a prompt's tokens are among them.</param>
/// <param name="File">Where it stands, for messages.</param>
/// <param name="Width">How long it says the tokens' vectors are; null: nothing.</param>
internal sealed record PoolingConfig(IReadOnlyList<Pooling> Modes, bool IncludePrompt, string File = "modules.json", int? Width = null)
{
    private const string OldPrefix = "pooling_mode_";

    /// <summary>What holds where there is no such file.</summary>
    public static readonly PoolingConfig Default = new([Pooling.Mean], IncludePrompt: true);

    /// <summary>Reads the form of sentence-transformers 5.4 (<c>pooling_mode</c>, a word or a list) or the older switches.</summary>
    /// <exception cref="ConfigException">A mode is unknown, or a value is none that its key can have.</exception>
    public static PoolingConfig Read(ModuleJson json)
    {
        bool[] switches = [.. PoolingNames.All.Select(name => json.Flag(name.Switch, otherwise: false))];
        string[] known = [.. PoolingNames.All.Select(name => name.Switch)];
        IEnumerable<string> others = json.Keys.Where(key => key.StartsWith(OldPrefix, StringComparison.Ordinal)).Except(known);
        if (others.FirstOrDefault(key => json.Flag(key, otherwise: false)) is string unknown)
            throw Unknown(json, unknown, known);
        Pooling[] modes = json.Find("pooling_mode") is JsonElement mode
            ? [.. (mode.ValueKind == JsonValueKind.Array ? mode.EnumerateArray() : Enumerable.Repeat(mode, 1)).Select(word => ModeOf(json, word))]
            : [.. PoolingNames.All.Where((_, i) => switches[i]).Select(name => name.Mode)];
        int? width = json.Size("embedding_dimension"), oldWidth = json.Size("word_embedding_dimension");
        // No mode at all is the mean in sentence-transformers, too.
        return new PoolingConfig(modes.Length == 0 ? [Pooling.Mean] : modes, json.Flag("include_prompt", otherwise: true), json.File, width ?? oldWidth);
    }

    private static Pooling ModeOf(ModuleJson json, JsonElement word) =>
        Array.FindIndex(PoolingNames.All, name => name.Word == ModuleJson.TextOf(word)) is int at and >= 0
            ? PoolingNames.All[at].Mode
            : throw Unknown(json, word.GetRawText(), PoolingNames.All.Select(name => name.Word));

    private static ConfigException Unknown(ModuleJson json, string mode, IEnumerable<string> known) =>
        new($"{json.File}: the pooling mode {mode} is unknown; there are {string.Join(", ", known)}.");
}
