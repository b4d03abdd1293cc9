import type {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ResourcePatternTypes,
} from './admin-enums.js';

/** An access rule. */
export interface Acl {
  /** Whom the rule is for, for example `User:alice`. */
  principal: string;
  /** The host that it is for; `*` for all. */
  host: string;
  /** What the rule is about, for example reading. */
  operation: AclOperationTypes;
  /** Whether it allows or denies. */
  permissionType: AclPermissionTypes;
}

/** What an access rule is about. */
export interface AclResource {
  /** The kind of resource. */
  resourceType: AclResourceTypes;
  /** The resource’s name. */
  resourceName: string;
  /** How the name is meant: whole, as a beginning, … */
  resourcePatternType: ResourcePatternTypes;
}

/** An access rule with what it is about. */
export type AclEntry = Acl & AclResource;

/** Access rules of one resource. */
export type DescribeAclResource = AclResource & {
  /** The rules. */
  acls: Acl[];
};

/** Access rules found. */
export interface DescribeAclResponse {
  /** Milliseconds that the broker has held the answer back. */
  throttleTime: number;
  /** The protocol’s error code; 0 for none. */
  errorCode: number;
  /** The error in words, where there is one. */
  errorMessage?: string;
  /** The resources that have rules. */
  resources: DescribeAclResource[];
}

/** Which access rules are meant. */
export interface AclFilter {
  /** The kind of resource. */
  resourceType: AclResourceTypes;
  /** The resource’s name; left out for any. */
  resourceName?: string;
  /** How the name is meant: whole, as a beginning, … */
  resourcePatternType: ResourcePatternTypes;
  /** Whom the rule is for; left out for anybody. */
  principal?: string;
  /** The host that it is for; left out for any. */
  host?: string;
  /** What the rule is about, for example reading. */
  operation: AclOperationTypes;
  /** Whether it allows or denies. */
  permissionType: AclPermissionTypes;
}

/** An access rule that was deleted. */
export interface MatchingAcl {
  /** The protocol’s error code; 0 for none. */
  errorCode: number;
  /** The error in words, where there is one. */
  errorMessage?: string;
  /** The kind of resource. */
  resourceType: AclResourceTypes;
  /** The resource’s name. */
  resourceName: string;
  /** How the name is meant: whole, as a beginning, … */
  resourcePatternType: ResourcePatternTypes;
  /** Whom the rule is for, for example `User:alice`. */
  principal: string;
  /** The host that it was for. */
  host: string;
  /** What the rule is about, for example reading. */
  operation: AclOperationTypes;
  /** Whether it allows or denies. */
  permissionType: AclPermissionTypes;
}

/** What a filter deleted. */
export interface DeleteAclFilterResponses {
  /** The protocol’s error code; 0 for none. */
  errorCode: number;
  /** The error in words, where there is one. */
  errorMessage?: string;
  /** The rules that were deleted. */
  matchingAcls: MatchingAcl[];
}

/** What was deleted. */
export interface DeleteAclResponse {
  /** Milliseconds that the broker has held the answer back. */
  throttleTime: number;
  /** One for each filter. */
  filterResponses: DeleteAclFilterResponses[];
}
