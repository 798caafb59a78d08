namespace ManagedTransformers.Orleans;

/// <summary>Texts on their way to an encoder.</summary>
[GenerateSerializer, Immutable]
internal sealed record EncoderRequest
{
    /// <summary>What is to be done: the name of an <see cref="EncoderJob"/>.</summary>
    [Id(0)]
    public required string Job { get; init; }

    [Id(1)]
    public string Model { get; init; } = "";

    /// <summary>Of the silo that it was placed on.</summary>
    [Id(2)]
    public string Fingerprint { get; init; } = "";

    [Id(3)]
    public required string[] Texts { get; init; }

    /// <summary>Second texts, null where there is none; the query, where documents are ranked.</summary>
    [Id(4)]
    public string?[] Others { get; init; } = [];

    /// <summary>As <see cref="OptionsJson"/> writes them.</summary>
    [Id(5)]
    public string Options { get; init; } = "{}";
}

/// <summary>Results on their way back.</summary>
/// <param name="Count">How many.</param>
/// <param name="Bytes">As their <see cref="EncoderJob"/> writes them.</param>
/// <param name="Queue">Time until the first text of the call went into a batch.</param>
/// <param name="Inference">Time from then on until its last text was done.</param>
[GenerateSerializer, Immutable]
internal sealed record EncoderPart(
    [property: Id(0)] int Count, [property: Id(1)] byte[] Bytes, [property: Id(2)] TimeSpan Queue, [property: Id(3)] TimeSpan Inference);

/// <summary>How documents are ranked.</summary>
internal sealed record RankOptions(int? TopN, bool Truncation, bool? Sigmoid);

/// <summary>How vectors of tokens are given.</summary>
internal sealed record ExtractOptions(bool Truncation);
