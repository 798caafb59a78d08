using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>A row of an encoder's batch: a text, or a window of it, between its special tokens.</summary>
/// <param name="Ids">Token ids, special tokens included, [columns].</param>
/// <param name="TypeIds">Segment ids, [columns].</param>
/// <param name="Text">The whole text's encoding, without special tokens.</param>
/// <param name="FirstToken">The number in <paramref name="Text"/> of the first token of this row.</param>
/// <param name="TextColumn">The column where that token stands.</param>
/// <param name="TextTokens">How many of the text's tokens the row has.</param>
internal sealed record TokenRow(int[] Ids, int[] TypeIds, Encoding Text, int FirstToken, int TextColumn, int TextTokens);
