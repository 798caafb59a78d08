namespace ManagedTransformers.Tour;

/// <summary>A chapter of docs/tour.</summary>
/// <param name="Name">Its name on the command line, and the beginning of its blocks' ids.</param>
/// <param name="Write">Runs the models and writes the chapter's numbers.</param>
public sealed record Chapter(string Name, Action<Page> Write)
{
    /// <summary>The blocks of numbers, in the chapter's order.</summary>
    public IReadOnlyList<Block> Run()
    {
        var page = new Page();
        Write(page);
        return page.Blocks;
    }
}

/// <summary>All chapters, in the tour's order.</summary>
public static class Chapters
{
    /// <summary>They need nothing of each other.</summary>
    public static IReadOnlyList<Chapter> All { get; } =
    [
        new("tokens", TokensChapter.Write),
        new("embeddings", EmbeddingsChapter.Write),
        new("attention", AttentionChapter.Write),
        new("masks", MasksChapter.Write),
        new("mlp", MlpChapter.Write),
        new("residual", ResidualChapter.Write),
        new("head", HeadChapter.Write),
        new("cache", CacheChapter.Write),
        new("sampling", SamplingChapter.Write),
        new("infilling", InfillingChapter.Write),
        new("llama", LlamaChapter.Write),
    ];
}
