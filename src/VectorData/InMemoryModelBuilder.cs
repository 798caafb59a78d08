using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.VectorData;
using Microsoft.Extensions.VectorData.ProviderServices;

namespace ManagedTransformers.Extensions.VectorData;

/// <summary>What a collection may consist of: keys and data of any type, any number of vectors of floats.</summary>
internal sealed class InMemoryModelBuilder() : CollectionModelBuilder(
    new CollectionModelBuildingOptions { SupportsMultipleVectors = true, RequiresAtLeastOneVector = false })
{
    protected override bool IsDataPropertyTypeValid(Type type, [NotNullWhen(false)] out string? supportedTypes)
    {
        supportedTypes = null;
        return true;
    }

    protected override bool IsVectorPropertyTypeValid(Type type, [NotNullWhen(false)] out string? supportedTypes)
    {
        supportedTypes = VectorTypes.Names;
        return VectorTypes.IsVector(type);
    }

    protected override void ValidateKeyProperty(KeyPropertyModel keyProperty)
    {
        // Anything that is equal to itself is a key.
    }

    protected override void ValidateProperty(PropertyModel propertyModel, VectorStoreCollectionDefinition? definition)
    {
        base.ValidateProperty(propertyModel, definition);
        if (propertyModel is VectorPropertyModel { IndexKind: not null and not IndexKind.Flat } vector)
            throw new NotSupportedException($"The vector property {vector.ModelName} asks for the index {vector.IndexKind}; this store searches flat. " +
                "Leave IndexKind out, or say Flat.");
    }
}
